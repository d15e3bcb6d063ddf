//! Rows of whole numbers and one text, packed: each number as its distance from the one above it.

/// Numbers of a row, in the order of its kind's columns, and its text.
pub type Row = (Vec<i128>, Vec<u8>);

const MORE: u8 = 0x80;

/// Packs rows with the same number of columns, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Packer {
    above: Vec<i128>,
    bytes: Vec<u8>,
}

impl Packer {
    /// Adds a row.
    pub fn put(&mut self, numbers: &[i128], text: &[u8]) {
        self.above.resize(numbers.len(), 0);
        for (above, number) in self.above.iter_mut().zip(numbers) {
            let distance = number.wrapping_sub(*above);
            // Zigzag: small ones of either sign are short.
            put_number(&mut self.bytes, ((distance << 1) ^ (distance >> 127)) as u128);
            *above = *number;
        }
        put_number(&mut self.bytes, text.len() as u128);
        self.bytes.extend_from_slice(text);
    }

    /// The bytes of all rows.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

fn put_number(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= u128::from(MORE) {
        bytes.push(number as u8 | MORE);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<u128> {
    let (mut number, mut shift) = (0, 0);
    loop {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(byte & !MORE).checked_shl(shift)?;
        if byte & MORE == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

/// The rows again, `columns` numbers each; `None` if the bytes are none that a [`Packer`] gave.
pub fn unpacked(columns: usize, mut bytes: &[u8]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    while !bytes.is_empty() {
        let mut numbers = Vec::with_capacity(columns);
        for column in 0..columns {
            let zigzag = take_number(&mut bytes)?;
            let distance = (zigzag >> 1) as i128 ^ -((zigzag & 1) as i128);
            let above = rows.last().map_or(0, |(above, _)| above[column]);
            numbers.push(above.wrapping_add(distance));
        }
        let length = usize::try_from(take_number(&mut bytes)?).ok()?;
        let (text, rest) = bytes.split_at_checked(length)?;
        bytes = rest;
        rows.push((numbers, text.to_vec()));
    }
    Some(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_out_as_they_went_in(
            rows in prop::collection::vec(
                (prop::array::uniform4(any::<i128>()), prop::collection::vec(any::<u8>(), 0..40)),
                0..20,
            )
        ) {
            let mut packer = Packer::default();
            rows.iter().for_each(|(numbers, text)| packer.put(numbers, text));
            let expected: Vec<Row> = rows.iter().map(|(numbers, text)| (numbers.to_vec(), text.clone())).collect();
            prop_assert_eq!(unpacked(4, &packer.into_bytes()), Some(expected));
        }

        #[test]
        fn other_bytes_give_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = unpacked(3, &bytes);
        }
    }

    #[test]
    fn bytes_that_end_early_are_no_rows() {
        let mut packer = Packer::default();
        packer.put(&[1, -300], b"abc");
        let bytes = packer.into_bytes();
        for end in 1..bytes.len() {
            assert_eq!(unpacked(2, &bytes[..end]), None, "{end} bytes");
        }
    }
}
