//! Runs the comparison of `xos sim adl` and prints what each rule took: `adl SEED ACCOUNTS MARKETS`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [seed, accounts, markets] = words.as_slice() else { return Err("adl SEED ACCOUNTS MARKETS".into()) };
    let found = xos_sim::adl::compare(seed.parse()?, accounts.parse()?, markets.parse()?);
    println!("{} positions", found.positions);
    for rule in found.outcomes {
        println!(
            "{}: {} fills, {} allocations, {:.3} s of deleveraging, overshoot {} of {}",
            rule.name,
            rule.fills,
            rule.allocations,
            rule.adl_ns as f64 / 1e9,
            rule.overshoot,
            rule.deficit
        );
    }
    Ok(())
}
