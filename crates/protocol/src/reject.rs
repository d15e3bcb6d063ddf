//! Why a command had no effect: numbered, ordered by precedence.
//!
//! A command that is wrong in several ways is refused for the first reason that the rules list for its kind; within
//! a kind that is nearly always the lowest number. `docs/internals/rules.md` has the order of each.

macro_rules! rejects {
    ($($code:literal $variant:ident $transient:literal $sentence:literal),+ $(,)?) => {
        /// Numbered reason of a rejection. Ranges: 1xx record and session, 2xx market, 3xx order, 4xx risk and
        /// money, 5xx deployment; inside a range, a group of its own begins at a number that ends in 1.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u16)]
        pub enum Reject { $(#[doc = $sentence] $variant = $code),+ }

        impl Reject {
            /// Every reject, in order of precedence.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The reject with this number.
            pub const fn from_code(code: u16) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }
            /// Its number.
            #[inline(always)]
            pub const fn code(self) -> u16 { self as u16 }
            /// Its name.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
            /// A sentence in which `{value}` and `{limit}` stand for what the event carries.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $sentence),+ }
            }
            /// Whether the same command may succeed later without change.
            pub const fn is_transient(self) -> bool {
                match self { $(Self::$variant => $transient),+ }
            }
        }

        const CODES: &[u16] = &[$($code),+];
    };
}

rejects! {
    101 UnknownCommand false "command kind {value} is not known",
    102 MalformedCommand false "the byte at offset {limit} of the command holds {value}, which has no meaning there",
    103 UnknownAccount false "account {value} does not exist; the highest valid number is {limit}",
    104 ClientIdsExhausted true "{value} client ids are remembered, the limit is {limit}, and the oldest are of orders that rest",
    105 ClientIdTaken false "the client id stands for command {value}, which has another value in the field at offset {limit} of the record",
    201 UnknownVenue false "venue {value} does not exist; the newest is {limit}",
    202 UnknownAsset false "asset {value} does not exist; the newest is {limit}",
    203 UnknownInstrument false "instrument {value} does not exist; the newest is {limit}",
    204 UnknownQuestion false "question {value} does not exist; the newest is {limit}",
    205 InstrumentSettled false "instrument {value} is settled",
    206 InstrumentHalted true "instrument {value} is halted",
    207 InstrumentCancelOnly true "instrument {value} accepts only cancels",
    208 InstrumentReduceOnly true "instrument {value} accepts only reduce-only orders",
    209 QuestionResolved false "question {value} is resolved",
    210 NotAnOutcome false "instrument {value} is not an outcome of question {limit}",
    211 InstrumentPostOnly true "instrument {value} accepts only post-only orders for now",
    221 UnknownClasses false "the classes {value}, a bit each, are not all known; those that stand are {limit}",
    222 CredentialMissing false "the classes {value} come without the hash of the credential that gives them",
    223 CredentialExpired false "the credential ends at {value} ns, the log stands at {limit} ns",
    224 CredentialFromFuture true "the credential is issued at {value} ns, the log stands at {limit} ns",
    225 CredentialNotNewer false "the credential is issued at {value} ns, the account's last one at {limit} ns",
    226 ClassesMissing false "the account lacks the classes {value}, a bit each, of those that the venue requires, {limit}",
    227 ClassesForbidden false "the account has the classes {value}, a bit each, of those that the venue forbids, {limit}",
    228 ProfilesLimit true "{value} profiles of classes and counterparty rules stand; the limit is {limit}",
    231 PayoutsMisnumbered false "there are {value} payouts, the question has {limit} outcomes",
    232 PayoutsNotOne false "a payout, or the sum of all, is {value} millionths of the unit; each is 0 to {limit}, all together {limit}",
    233 NotResolvable false "question {value} has no resolvers: the operator settles it",
    234 HasResolvers false "question {value} is settled by what its resolvers propose and decide, by nothing else",
    235 NotAResolver false "account {value} is not among the resolvers of question {limit} who may do this",
    236 WindowNotOpen true "the log stands at {value} ns; this is taken from {limit} ns on",
    237 WindowClosed false "the log stands at {value} ns; this was taken before {limit} ns",
    238 AlreadyProposed false "question {value} has a proposal already",
    239 NothingToDecide true "question {value} has no proposal, or none that was challenged",
    240 AlreadyChallenged false "question {value} is challenged already: its second set of resolvers decides",
    241 PartyToDispute false "account {value} has the owner of account {limit}, who proposed or is to decide",
    242 AlreadyVoted false "account {value} has voted on question {limit}",
    243 ResolverMayNotStand false "account {value} has the owner of a resolver of question {limit}, who may hold nothing there",
    244 NoOutcomeLeft false "question {value} has {limit} outcomes and takes no more",
    245 NoOutcomeAfterClose false "question {value} is closed since {limit} ns: outcomes are added while it trades",
    246 OutcomeBeingAdded true "an outcome is being added to question {value}: this is taken once instrument {limit} trades",
    251 AuctionUnderWay true "instrument {value} is in an auction that ends at {limit} ns",
    252 AuctionEndsNotInFuture false "the auction would end at {value} ns, the log stands at {limit} ns",
    253 InstrumentInAuction true "instrument {value} is in an auction: it takes limit orders that rest",
    254 InstrumentUncrossing true "the auction of instrument {value} is being filled: send it again when it is over",
    261 OrdersAboveCap true "order {value} rests through the venue at a rate above the cap, which would be {limit} ppm: cancel it first",
    301 UnknownOrder false "the account has no resting order {value}",
    302 AmendWithoutChange false "the amend changes neither price nor total quantity",
    303 MarketTif false "a market order is immediate-or-cancel or fill-or-kill; its time in force was {value}",
    304 PostOnlyTif false "a post-only order rests; its time in force was {value} or it was a market order",
    305 ReduceOnlySpot false "reduce-only needs a position; instrument {value} is spot",
    306 ExpiryNotInFuture false "the order expires at {value} ns, the log stands at {limit} ns",
    307 PriceNotPositive false "the price is {value} ticks; the lowest is 1",
    308 PriceAboveMax false "the price is {value} ticks; the highest of the instrument is {limit}",
    309 QtyNotPositive false "the quantity is {value} lots; the least is 1",
    310 QtyBelowMin false "the quantity is {value} lots; the least of the instrument is {limit}",
    311 QtyAboveMax false "the quantity is {value} lots; the most of the instrument is {limit}",
    312 MarkMissing true "instrument {value} has no mark price yet",
    313 PriceOutsideBand true "the price is {value} ticks; the band around the mark ends at {limit}",
    314 NothingToReduce true "{value} lots stand there: nothing, or too little, to reduce on this side",
    315 NotionalBelowMin false "the notional is {value} atoms; the least of the instrument is {limit}",
    316 NotionalAboveMax false "the notional is {value} atoms; the most of the instrument is {limit}",
    317 OpenOrdersLimit true "the account has {value} resting orders here; the limit is {limit}",
    318 AccountOrdersLimit true "the account has {value} resting orders in all; the limit is {limit}",
    319 AccountInstrumentsLimit true "the account stands in {value} instruments of this product; the limit is {limit}",
    320 PostOnlyWouldCross true "the price of {value} ticks would trade against {limit}",
    321 PositionLimit true "the position could reach {value} lots; the limit is {limit}",
    322 FokNotFillable true "of the whole quantity only {value} lots can fill now, {limit} are asked for",
    331 UnknownPublisher false "publisher {value} does not exist; the newest is {limit}",
    332 NotASource false "publisher {value} is no source of instrument {limit}",
    333 ExternalPriceOutOfBounds false "the external price is {value} ticks; 0 means none, the highest is {limit}",
    334 PublishedInFuture true "the price is of {value} ns, the log stands at {limit} ns",
    335 PublishedNotNewer false "the price is of {value} ns, the source's last one of {limit} ns",
    336 PublishedStale false "the price is of {value} ns; it had to be later than {limit} ns",
    337 PriceJump false "the price is {value} ticks, ten times off the source's last one, {limit}",
    338 PricesHaveOracle false "instrument {value} has an oracle: its prices are published, not set",
    341 CountdownOutOfBounds false "the countdown is {value} ms; it is 0, to stop it, or 1 to {limit}",
    342 TriggerMissing false "the order waits for no price above or below, so there is nothing to trigger it or to change",
    343 TriggersCross false "the trigger price of {value} ticks is on the wrong side of {limit}",
    344 SlippageOutOfBounds false "the slippage of a market order that waits is {value} ppm; it is 1 to {limit}",
    345 TriggersLimit true "the account has {value} orders that wait; the limit is {limit}",
    346 TriggerWouldFire true "the trigger price of {value} ticks is reached already: the price is {limit}",
    347 ProtectionOutOfBounds false "a limit, window or freeze of the protection is {value}; the bound is {limit}",
    348 ProtectionFrozen true "protected orders are refused until {value} ns; the log stands at {limit} ns",
    349 ReducingLoss true "closing at this price loses {value} atoms against the mark; the account can bear {limit}",
    351 DisplayTif false "an order with a display quantity rests; its time in force was {value} or it was a market order",
    352 DisplayReduceOnly false "an order that shows {value} lots of its quantity at a time cannot be reduce-only",
    353 DisplayTooSmall false "the display quantity is {value} lots; the least for this order is {limit}",
    354 DisplayNotBelowTotal false "the display quantity is {value} lots; it has to be below the total of {limit}",
    355 NotAnIceberg false "order {value} shows all of its lots: it has no display quantity to change",
    401 AmountNotPositive false "the amount is {value} atoms; the least is 1",
    402 AmountAboveMax false "the amount is {value} atoms; the most is {limit}",
    403 SupplyLimit true "the asset's supply would reach {value} atoms; the limit is {limit}",
    404 InsufficientBalance true "{value} atoms are needed, {limit} are free",
    405 InsufficientMargin true "{value} atoms of margin are missing; equity less requirements was {limit}",
    406 AccountsLimit false "{value} accounts stand; the limit is {limit}",
    411 NotAPerpetual false "instrument {value} is not a perpetual",
    412 LeverageOutOfBounds true "the leverage is {value}; from 1 to {limit} are open to a position of this size with its orders",
    413 UnknownReceiver false "the receiver {value} is not known; the newest account is {limit}",
    414 ReceiverIsSender false "account {value} is the sender and the receiver",
    415 AnotherOwner false "account {value} belongs to another owner than account {limit}",
    416 ParentIsIsolated false "account {value} is isolated itself and cannot have isolated accounts; {limit} is its parent",
    417 IsolatedAccountExists false "account {value} is the isolated account of account {limit} on this instrument",
    418 AccountIsIsolated false "account {value} is isolated: it trades instrument {limit} only, and only its parent pays in and out",
    419 InstrumentIsIsolated false "instrument {value} takes orders of isolated accounts only",
    421 DebtLimit true "the account could owe {value} atoms of the settlement asset; the limit is {limit}",
    431 NotListed false "venue {limit} does not list instrument {value}",
    432 OfAnotherVenue false "instrument {value} belongs to venue {limit} and takes no other orders",
    433 NobodyToPay true "{value} names account {limit} for its fees, which does not stand or is isolated; 0: nobody",
    434 NothingToCollect true "{value} has nothing of asset {limit} to collect",
    435 FeeCapOutOfBounds false "the cap is {value} ppm; it is 0 to {limit}, or -1 to remove it",
    436 FeeAboveCap true "the taker rate is {value} ppm, above the account's cap for the venue of {limit} ppm",
    437 ReferrerOfOneOwner false "account {value} has the owner of account {limit}, which it would refer",
    438 ReferrerStands false "account {value} has a referrer already: account {limit}",
    439 MoneyIsSimulated false "account {value} has simulated money, account {limit} or what it asks for has not; they never meet",
    440 InstrumentIsSimulated false "instrument {value} of venue {limit} is traded with simulated money only",
    501 NotGenesis false "limits can be declared only by the first command; this is {value}",
    502 MalformedDeployment false "the body of the deployment cannot be read",
    503 SettlementAssetMissing false "the first asset must stand before venues, instruments or questions",
    504 LimitOfDeployments false "there is no room for more: {value} counted, {limit} allowed",
    505 SymbolInvalid false "a symbol has 1 to {limit} printable ASCII characters without space; this one has {value} bytes",
    506 SymbolTaken false "the symbol is taken by number {value}",
    507 SpecOutOfBounds false "field {limit} of the specification holds {value}, which is outside its bounds",
    521 FieldIsFixed false "field {limit} of the specification of {value} never changes",
    522 NothingChanges false "the change leaves {value} as it is",
    523 ChangeDelayTooShort false "the change would take effect after {value} s; the least is {limit} s",
    524 ChangePending true "a change of {value} is announced already, by command {limit}",
    525 UnknownChange false "change {value} is not announced, or took effect already",
    526 NotTheDeployer false "account {value} may not change {limit}: another one deployed it, or announced the change",
    527 FeeAboveCeiling false "the fee of {value} ppm is above the ceiling of {limit} ppm that was declared at the deployment",
    528 OutcomeOfAQuestion false "instrument {value} is an outcome of question {limit}, whose terms it has",
    529 CannotBeDelisted false "{value} makes asset {limit} collateral, or is a question whose close time came, and cannot be delisted",
    531 NoGovernance false "the exchange has no terms of governance: only its operator deploys",
    532 GovernanceStands false "terms of governance stand already; a proposal changes them",
    533 NotForDeployers false "account {value} may not declare field {limit}, or not like this: it is for the operator or for governance",
    534 NoFreeSlot true "{value} markets of this kind are taken; the account has {limit} slots",
    535 StakeTooSmall true "{value} atoms would be locked; the account has staked {limit}",
    536 StakeLocked true "{value} atoms were asked back; {limit} are free",
    537 SlotTooDear true "a slot costs {value} atoms now; the command pays at most {limit}",
    538 OutsideMarketBounds false "field {limit} holds {value}, which is outside the bounds of governance",
    539 SetsOutstanding true "{value} complete sets of question {limit} are outstanding: its deployer cannot end it",
    541 VenueClosed false "venue {value} is closed and brings no orders",
    542 VenueHasMarkets true "instrument {value}, which is venue {limit}'s own, still trades",
    543 NoVoting false "governance has no voters: nothing is voted on",
    544 NotAVoter false "account {value} has no vote",
    545 NeedsVote false "only a vote does this to {value}, the operator does not",
    546 NotVotedOn false "no act of the id {value} is being voted on",
    547 TooManyProposals true "{value} proposals of the account are being voted on; the limit is {limit}",
    548 NotAGuardian false "account {value} is no guardian",
    549 EmergencyRests true "instrument {value} has an emergency, or rests after one, until {limit}; 0: it has none to end or to confirm",
    551 HarmedOutOfOrder false "{value}: harmed accounts are named once each, in rising order, at most {limit}",
    552 HarmOfDeployer false "account {value} has the owner of account {limit}, whose stake would pay it",
}

const _: () = {
    let mut i = 1;
    while i < CODES.len() {
        assert!(CODES[i - 1] < CODES[i], "rejects are ordered by precedence");
        assert!(
            CODES[i] == CODES[i - 1] + 1 || (CODES[i] / 10 > CODES[i - 1] / 10 && CODES[i] % 10 == 1),
            "no gaps inside a group"
        );
        i += 1;
    }
};
