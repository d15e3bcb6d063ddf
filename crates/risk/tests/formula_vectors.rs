//! Every formula vector of the market systems reference against the functions that the engine calls. The table is also
//! a page, `docs/reference/formulas.md`; `XOS_WRITE=1 cargo test -p xos-risk --test formula_vectors` writes it.

use std::fmt::Write as _;
use xos_risk::adl::Standing;
use xos_risk::{
    Closing, FundingTerms, Growth, Impact, LinkedOutcome, LinkedQuestion, OpenInterestScaling, OutcomeStand,
    OutcomeTerms, Quote, Scenario, ScenarioGroup, ScenarioTerms, ShockedPerpetual, Standard, Tiers,
    funding_rate, index_of, liquidation_price, median_of_three, premium, reserve_per_lot, worst_case,
};
use xos_units::{Amount, Ppm, Price, Qty, Rate, Requirement, notional};

/// A vector: what the reference states and what the function gives, both in words.
struct Row {
    number: &'static str,
    formula: &'static str,
    function: &'static str,
    vector: String,
    stated: String,
    found: String,
}

fn row(
    number: &'static str,
    formula: &'static str,
    function: &'static str,
    vector: impl Into<String>,
    stated: impl Into<String>,
    found: impl Into<String>,
) -> Row {
    Row { number, formula, function, vector: vector.into(), stated: stated.into(), found: found.into() }
}

/// A rate in 1e-12 as a percentage without trailing zeros.
fn percent(rate: Rate) -> String {
    let (sign, size) = (if rate.0 < 0 { "-" } else { "" }, rate.0.unsigned_abs());
    let text = format!("{}.{:010}", size / 10_000_000_000, size % 10_000_000_000);
    format!("{sign}{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// Hundredths as a decimal.
fn hundredths(ticks: i64) -> String {
    format!("{}.{:02}", ticks / 100, ticks % 100)
}

const fn rate_ppm(ppm: i64) -> Rate {
    Rate(ppm * 1_000_000)
}

fn impact(price: i64) -> Option<Impact> {
    Some(Impact { value: i128::from(price), lots: 1 })
}

fn funding(rows: &mut Vec<Row>) {
    let terms = |interval_h| FundingTerms {
        interval_h,
        interest: rate_ppm(100),
        clamp: rate_ppm(500),
        cap: rate_ppm(40_000),
    };
    let paid = premium(Price(10_000), impact(10_100), impact(10_200));
    let vector = "impact bid 10,100, index 10,000, interest 0.01 %";
    rows.push(row("F1", "premium", "premium", vector, "1 %", percent(paid)));
    rows.push(row(
        "F1",
        "8-hour rate",
        "funding_rate",
        vector,
        "0.95 %",
        percent(funding_rate(paid, &terms(8))),
    ));
    let hourly = percent(funding_rate(paid, &terms(1)));
    rows.push(row("F1", "rate of 1 hour", "funding_rate", vector, "0.11875 %", hourly));
    for (bid, ask, stated) in [(99, 101, "0 %"), (101, 102, "1 %"), (97, 98, "-2 %")] {
        let found = percent(premium(Price(100), impact(bid), impact(ask)));
        let vector = format!("impact bid {bid}, ask {ask}, index 100");
        rows.push(row("F2", "premium", "premium", vector, stated, found));
    }
}

fn margin(rows: &mut Vec<Row>) {
    // 40x up to 150 M, then 20x; maintenance is half of the initial rate.
    let mut tiers = Tiers::one(Ppm(25_000), Ppm(12_500));
    tiers.push(Amount(150_000_000), Ppm(50_000), Ppm(25_000));
    for (notional, stated) in [(100_000_000, 1_250_000), (150_000_000, 1_875_000), (200_000_000, 3_125_000)] {
        let found = tiers.maintenance(Amount(notional)).ceil().0;
        let vector = format!("notional {notional}, 40x to 150 M, then 20x");
        rows.push(row(
            "F4",
            "maintenance by tier",
            "Tiers::maintenance",
            vector,
            stated.to_string(),
            found.to_string(),
        ));
    }
    let one = Tiers::one(Ppm(25_000), Ppm(12_500));
    let is_below = |mark: Price| {
        let equity = Amount(500_000) + notional(mark - Price(5_000_000), Qty(1), 1);
        equity.as_requirement() < one.maintenance(notional(mark, Qty(1), 1))
    };
    let found = liquidation_price(1, Price(1 << 30), is_below).expect("a long has one");
    let vector = "long 1 at 50,000, equity 5,000, maintenance 1/80";
    rows.push(row("F5", "liquidation price", "liquidation_price", vector, "45569.62", hundredths(found.0)));
    let closing = Closing {
        lots: 1,
        mark: Price(50_000),
        k: 1,
        maintenance: Requirement(1_500_000_000),
        account_maintenance: Requirement(1_500_000_000),
    };
    let vector = "1 at 50,000, maintenance 1,500, equity 750";
    let found = closing.fillable_ticks(Amount(750), Ppm(1_500_000)).to_string();
    rows.push(row("F6", "fillable price, spread 150 %", "Closing::fillable_ticks", vector, "48875", found));
    let found = closing.bankruptcy_ticks(Amount(750)).to_string();
    rows.push(row("F7", "bankruptcy price", "Closing::bankruptcy_ticks", vector, "49250", found));
    let scaling = OpenInterestScaling { lower: Amount(20_000_000), upper: Amount(50_000_000) };
    let found = scaling.rate(Ppm(50_000), Amount(35_000_000)).0.to_string();
    let vector = "base 5 %, 20 M to 50 M, open interest 35 M";
    rows.push(row("F8", "rate by open interest, ppm", "OpenInterestScaling::rate", vector, "525000", found));
    let standing = Standing {
        long: true,
        notional: Amount(1_100),
        entry: Amount(1_000),
        equity: Amount(500),
        margin: Amount(500),
    };
    let found = standing.profit_times_leverage_ppm().to_string();
    let vector = "long, entry 100, mark 110, notional 1,100, equity 500";
    rows.push(row(
        "F10",
        "Hyperliquid's rank, millionths",
        "Standing::profit_times_leverage_ppm",
        vector,
        "2420000",
        found,
    ));
}

/// F18: a shortage of 1,000, freed in a minute from a tenth on; the reference states the formula, these are its values.
fn growth(rows: &mut Vec<Row>) {
    const SECOND_NS: u64 = 1_000_000_000;
    let growth = Growth { duration_ns: 60 * SECOND_NS, initial: Ppm(100_000), small: Amount(50) };
    for (shortage, freed, seconds, stated) in [
        (1_000, 0, 0, "100"),
        (900, 100, 0, "0"),
        (900, 100, 30, "500"),
        (400, 600, 54, "400"),
        (50, 0, 0, "5"),
        (49, 0, 0, "49"),
    ] {
        let requirement = Amount(10_000);
        let found = growth.freeable(Amount(shortage), requirement, Amount(freed), seconds * SECOND_NS).0;
        let found = found.to_string();
        let vector = format!("T 60 s, init 10 %, small 50: {seconds} s, {shortage} short, {freed} freed");
        let formula = "part of a shortage that may be freed";
        rows.push(row("F18", formula, "Growth::freeable", vector, stated, found));
    }
}

fn outcomes(rows: &mut Vec<Row>) {
    let terms = Some(OutcomeTerms { ticks_per_unit: 100 });
    let locks = |buy, price| reserve_per_lot(terms, true, buy, Price(price), 1, Ppm(0)).0;
    let found =
        format!("{} + {} = {}", locks(true, 65), locks(false, 65), locks(true, 65) + locks(false, 65));
    let vector = "buy yes at 0.65 meets buy no at 0.35, a sell of yes at 0.65; unit 100";
    rows.push(row("F11", "one set for one unit", "reserve_per_lot", vector, "65 + 35 = 100", found));
    // No on m of n outcomes is a short of each and m units; the same as m - 1 units and yes on all others.
    for (shorts, stated) in [(3usize, 2i64), (1, 0)] {
        let value = |positions: [i64; 4], units: i64| -> Vec<i64> {
            positions.iter().map(|position| position + units).collect()
        };
        let no: [i64; 4] = std::array::from_fn(|at| if at < shorts { -1 } else { 0 });
        let yes: [i64; 4] = std::array::from_fn(|at| if at < shorts { 0 } else { 1 });
        assert_eq!(value(no, shorts as i64), value(yes, shorts as i64 - 1), "whoever wins");
        let stand = |lots| OutcomeStand { position_lots: lots, buys: Amount::ZERO, sells: Amount::ZERO };
        let worst = |positions: [i64; 4]| worst_case(positions.into_iter().map(stand), 4, Amount(1)).0;
        assert_eq!(worst(no) + shorts as i128, worst(yes) + shorts as i128 - 1);
        let found = (worst(no) + shorts as i128).to_string();
        let vector = format!("no on {shorts} of 4 outcomes");
        rows.push(row(
            "F12",
            "collateral that counts, units",
            "worst_case",
            vector,
            stated.to_string(),
            found,
        ));
    }
    let locks = |buy| (reserve_per_lot(terms, true, buy, Price(20), 1, Ppm(0)).0 * 100 / 100).to_string();
    rows.push(row("F13", "buyer locks", "reserve_per_lot", "100 yes at 0.20", "20", locks(true)));
    rows.push(row("F13", "seller locks", "reserve_per_lot", "100 yes at 0.20", "80", locks(false)));
}

fn prices(rows: &mut Vec<Row>) {
    let quotes = |of: &[(i64, u32)]| -> Vec<Quote> {
        of.iter().map(|&(price, weight)| Quote { price: Price(price), weight }).collect()
    };
    let venues = [(100, 3), (101, 2), (103, 2), (99, 1), (98, 1), (104, 1), (105, 1), (102, 1)];
    let found = index_of(&mut quotes(&venues), 50_000).expect("there are quotes").0.to_string();
    let vector = "100 x 3, 101 x 2, 103 x 2, 99, 98, 104, 105, 102";
    rows.push(row("F16", "weighted median", "index_of", vector, "101", found));
    let found = index_of(&mut quotes(&[(1_000, 1), (1_000, 1), (2_000, 3)]), 50_000).expect("quotes").0;
    let vector = "2,000 beside a median of 1,000, cut at 5 %";
    rows.push(row("F16", "deviating source", "index_of", vector, "1050", found.to_string()));
    let found = median_of_three(Price(1_004), Price(1_010), Price(990)).0.to_string();
    rows.push(row("F16", "mark of three", "median_of_three", "1,004, 1,010, 990", "1004", found));
}

/// F19: Paradex's price moves and weights, for a book without options; maintenance is half.
fn scenarios(rows: &mut Vec<Row>) {
    let plain = [-16, -12, -8, -4, 4, 8, 12, 16].map(|percent| (percent * 10_000, 1_000_000));
    let down = [(-660_000, 240_000), (-330_000, 480_000)];
    let up = [(500_000, 320_000), (1_000_000, 160_000), (2_000_000, 80_000)];
    let far_up = [(3_000_000, 53_300), (4_000_000, 40_000), (5_000_000, 32_000)];
    let all = plain.into_iter().chain(down).chain(up).chain(far_up);
    let terms = ScenarioTerms {
        scenarios: all.map(|(shock, weight)| Scenario { shock: Ppm(shock), weight: Ppm(weight) }).collect(),
        maintenance: Ppm(500_000),
        floor: Ppm(10_000),
        width: Ppm(20_000),
    };
    let perpetual = |lots: i64| {
        let needs = |rate: i128| {
            let whole = Requirement(rate * i128::from(lots.abs()) * 1_000);
            Standard { whole, first: whole }
        };
        let (initial, maintenance) = (needs(500_000), needs(250_000));
        ShockedPerpetual { mark_value: 1_000, lowest: lots, highest: lots, initial, maintenance }
    };
    let above = |payout| LinkedQuestion {
        mark: Price(1_000),
        outcomes: vec![
            LinkedOutcome { low: Price(0), high: Some(Price(1_100)), payout: Amount(0) },
            LinkedOutcome { low: Price(1_100), high: None, payout: Amount(payout) },
        ],
    };
    let cases: [(&str, &[i64], Option<i128>, &str); 5] = [
        ("long 1,000,000 alone: -16 %", &[1_000], None, "160000, 80000"),
        ("short 1,000,000 alone: +16 %, or +100 % at 16 %", &[-1_000], None, "160000, 80000"),
        ("long and short 1,000,000: 1 % of both", &[1_000, -1_000], None, "20000, 10000"),
        (
            "short 1,000,000, 200,000 shares of yes above 110 % of the mark: 3.2 % of +500 % less them",
            &[-1_000],
            Some(200_000),
            "153600, 80000",
        ),
        (
            "long 1,000,000, short 30,000 shares of yes: their stake is free at -66 %, of which 24 % count",
            &[1_000],
            Some(-30_000),
            "151200, 80000",
        ),
    ];
    for (vector, lots, payout, stated) in cases {
        let perpetuals = lots.iter().map(|lots| perpetual(*lots)).collect();
        let group = ScenarioGroup { perpetuals, questions: payout.map(above).into_iter().collect() };
        let found = format!("{}, {}", group.initial(&terms).ceil().0, group.maintenance(&terms).ceil().0);
        let formula = "scenario margin, initial and maintenance";
        rows.push(row("F19", formula, "ScenarioGroup::initial, maintenance", vector, stated, found));
    }
}

/// Formulas of peers that are not rules of this engine.
const ELSEWHERE: &[(&str, &str, &str)] = &[
    (
        "F3",
        "Orderly's piecewise curve",
        "the premium counts as it is (F1): `clamp` and `cap` of the market's file bound the rate, and one rule is enough to check",
    ),
    (
        "F9",
        "concave margin and haircut",
        "tiers with continuous deduction stand for it: exact, and readable in a market's file",
    ),
    ("F14", "Kalshi's fee", "the fee base of an outcome is min(p, 1 - p), decision 12"),
    (
        "F15",
        "kinked borrow rate",
        "nothing is lent: a debt is bounded, converted above its bound, and bears the one rate that its asset declares",
    ),
    ("F17", "fee split of HIP-3", "a fee is divided by the shares that the market's file declares"),
];

fn page(rows: &[Row]) -> String {
    let mut page = String::from(
        "<!-- Written by crates/risk/tests/formula_vectors.rs. Do not edit. -->\n\n# Formulas\n\nTest vectors of published formulas (Hyperliquid, dYdX, Lighter, Orderly, Drift) against the functions of `crates/risk` that the engine calls. Each is equal\nto the stated rounding; `cargo test -p xos-risk --test formula_vectors` computes them, `-- --nocapture` prints them.\n\n| no. | formula | function | vector | stated | found |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let Row { number, formula, function, vector, stated, found } = row;
        writeln!(page, "| {number} | {formula} | `{function}` | {vector} | {stated} | {found} |")
            .expect("a text grows");
    }
    page.push_str("\nNot rules of this engine:\n\n| no. | formula | instead |\n|---|---|---|\n");
    for (number, formula, instead) in ELSEWHERE {
        writeln!(page, "| {number} | {formula} | {instead} |").expect("a text grows");
    }
    page
}

#[test]
fn every_vector_is_met_and_the_page_says_so() {
    let mut rows = Vec::new();
    funding(&mut rows);
    margin(&mut rows);
    outcomes(&mut rows);
    prices(&mut rows);
    growth(&mut rows);
    scenarios(&mut rows);
    for row in &rows {
        assert_eq!(row.found, row.stated, "{} {}: {}", row.number, row.formula, row.vector);
    }
    // F1 to F19, each computed or said to be no rule of this engine; none is left out, none is both.
    for number in (1..=19).map(|number| format!("F{number}")) {
        let is_computed = rows.iter().any(|row| row.number == number);
        let is_elsewhere = ELSEWHERE.iter().any(|(other, ..)| *other == number);
        assert!(is_computed != is_elsewhere, "{number}");
    }
    println!("{}", page(&rows));
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/reference/formulas.md");
    if std::env::var_os("XOS_WRITE").is_some() {
        std::fs::write(path, page(&rows)).expect("the page can be written");
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == page(&rows),
        "docs/reference/formulas.md is not what the vectors say; see the head of this file"
    );
}
