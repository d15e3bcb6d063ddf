//! A server with a small market and its clients.
#![allow(dead_code)] // each test file uses some of it

use std::time::Duration;
use xos_node::{Exchange, Options};
use xos_protocol::{
    AssetSpec, CommandKind, CommandRecord, DeployCommand, Fees, InstrumentSpec, InstrumentTerms, Int128,
    Limits, Matching, Product, SessionCode, Split, Tif,
};
use xos_server::{
    Client, ClientError, Key, Keyring, LogonRequest, Outcomes, Proof, Rate, Scopes, Server, ServerOptions,
    public_half,
};
use xos_units::Amount;

pub(crate) const WAIT: Duration = Duration::from_secs(20);
pub(crate) const ANNA: [u8; 32] = [b'a'; 32];
pub(crate) const BERT: [u8; 32] = [b'b'; 32];
pub(crate) const BERTS_PRIVATE_KEY: [u8; 32] = [7; 32];
pub(crate) const SECRET: &[u8] = b"a secret of sufficient length";

pub(crate) fn of(kind: CommandKind) -> CommandRecord {
    CommandRecord { kind: kind.code(), ..Default::default() }
}

pub(crate) fn place(account: u32, side: u8, price: i64, qty: i64) -> CommandRecord {
    CommandRecord { account, side, price, qty, instrument: 1, tif: Tif::Gtc.code(), ..of(CommandKind::Place) }
}

pub(crate) fn cancel(account: u32, order_id: u64) -> CommandRecord {
    CommandRecord { account, order_id, instrument: 1, ..of(CommandKind::Cancel) }
}

pub(crate) fn open_rates() -> ServerOptions {
    let free = Rate { per_s: 0, burst: 0 };
    ServerOptions {
        session_rate: free,
        cancel_rate: free,
        account_rate: free,
        address_rate: free,
        tick_ms: 0,
        ..Default::default()
    }
}

/// Asset 1, perpetual 1, accounts 1 and 2 of Anna, 3 of Bert.
pub(crate) fn market(exchange: &mut Exchange) {
    let terms = InstrumentTerms {
        quote_atoms_per_tick_lot: 10,
        tick_size: "0.1".into(),
        lot_size: "0.001".into(),
        price_max_ticks: 100_000,
        qty_min_lots: 1,
        qty_max_lots: 1_000_000,
        notional_min: Amount(0),
        notional_max: Amount(1 << 90),
        position_max_lots: 1 << 36,
        orders_per_account_max: 10_000,
        band_ppm: 0,
        fees: Fees { maker_ppm: 100, taker_ppm: 350, ceiling_ppm: 0 },
        split: Split::default(),
        matching: Matching::Arrival,
        fees_to: 0,
        venue: 0,
        phases: xos_protocol::Phases::default(),
    };
    let product = Product::Perpetual { initial_margin_ppm: 50_000, maintenance_margin_ppm: 25_000 };
    let mut events = Vec::new();
    for body in [
        DeployCommand::Asset(AssetSpec::new("USDC".into(), 6)),
        DeployCommand::Instrument(InstrumentSpec::new("BTC-PERP".into(), product, terms)),
    ] {
        exchange.deploy(&body.to_bytes(), None, &mut events).expect("a deployment");
    }
    let mut commands = Vec::new();
    for owner in [ANNA, ANNA, BERT] {
        commands.push(CommandRecord { client_id: owner, ..of(CommandKind::OpenAccount) });
    }
    for account in 1..=3 {
        let amount = Int128::new(1 << 60);
        commands.push(CommandRecord { account, instrument: 1, amount, ..of(CommandKind::Deposit) });
    }
    commands.push(CommandRecord { instrument: 1, price: 50_000, ..of(CommandKind::SetMark) });
    exchange.submit(&commands, None, &mut events).expect("the accounts");
    assert!(events.iter().all(|event| event.reason == 0), "{events:?}");
}

pub(crate) fn keys() -> Keyring {
    let trades = Scopes { trade: true, ..Scopes::default() };
    let operates = Scopes { operate: true, ..Scopes::default() };
    let secret = || Proof::Secret(SECRET.to_vec());
    Keyring::new(vec![
        Key { name: "anna".into(), proof: secret(), scopes: trades, owner: Some(ANNA) },
        Key {
            name: "bert".into(),
            proof: Proof::Public(public_half(&BERTS_PRIVATE_KEY)),
            scopes: Scopes { publish: true, ..trades },
            owner: Some(BERT),
        },
        Key {
            name: "teller".into(),
            proof: secret(),
            scopes: Scopes { publish: true, ..Scopes::default() },
            owner: Some(ANNA),
        },
        Key { name: "operator".into(), proof: secret(), scopes: operates, owner: None },
    ])
    .expect("the keys are sound")
}

pub(crate) struct Desk {
    pub(crate) server: Server,
}

impl Desk {
    pub(crate) fn new(options: ServerOptions) -> Self {
        let mut exchange = Exchange::in_memory(None).expect("an exchange");
        market(&mut exchange);
        Self::over(exchange, options)
    }

    pub(crate) fn over(exchange: Exchange, options: ServerOptions) -> Self {
        let address = "127.0.0.1:0".parse().expect("an address");
        Self { server: Server::start(exchange, address, keys(), options).expect("a server") }
    }

    pub(crate) fn on_disk(path: &std::path::Path, options: ServerOptions) -> Self {
        let mut exchange = Exchange::open(path, disk_options()).expect("an exchange");
        if exchange.engine().sequence() == 0 {
            market(&mut exchange);
        }
        Self::over(exchange, options)
    }

    pub(crate) fn log_on(&self, request: &LogonRequest) -> Result<Client, ClientError> {
        Client::log_on(self.server.address(), request, WAIT)
    }

    pub(crate) fn anna(&self) -> Client {
        self.log_on(&LogonRequest::with_secret("anna", SECRET)).expect("Anna's logon")
    }

    pub(crate) fn bert(&self) -> Client {
        self.log_on(&berts_request()).expect("Bert's logon")
    }

    pub(crate) fn operator(&self) -> Client {
        self.log_on(&LogonRequest::with_secret("operator", SECRET)).expect("the operator's logon")
    }
}

pub(crate) fn berts_request() -> LogonRequest {
    LogonRequest {
        credential: xos_server::Credential::Private(BERTS_PRIVATE_KEY),
        ..LogonRequest::with_secret("bert", SECRET)
    }
}

/// Frames that fit into small segments.
pub(crate) fn small_frames() -> Limits {
    Limits { frame_commands_max: 1_024, ..Limits::default() }
}

pub(crate) fn disk_options() -> Options {
    Options { segment_bytes: 8 << 20, ..Options::default() }
}

pub(crate) fn submit(client: &mut Client, commands: &[CommandRecord]) -> Outcomes {
    client.queue_commands(commands);
    client.send().expect("sent");
    client.wait_outcomes(commands.len() as u64).expect("outcomes")
}

pub(crate) fn goodbye(error: ClientError) -> Option<SessionCode> {
    match error {
        ClientError::Goodbye(goodbye) => SessionCode::from_code(goodbye.code),
        _ => None,
    }
}
