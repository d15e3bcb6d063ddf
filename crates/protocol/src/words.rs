//! The numbered words of commands and events.

macro_rules! words {
    ($(#[$doc:meta])* $name:ident : $repr:ty { $($(#[$vdoc:meta])* $variant:ident = $value:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr($repr)]
        pub enum $name { $($(#[$vdoc])* $variant = $value),+ }

        impl $name {
            /// Every word, in numeric order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The word with this number, if there is one.
            #[inline(always)]
            pub const fn from_code(code: $repr) -> Option<Self> {
                match code { $($value => Some(Self::$variant),)+ _ => None }
            }

            /// The number that records carry.
            #[inline(always)]
            pub const fn code(self) -> $repr { self as $repr }

            /// The name that Python, files and pages use.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}
pub(crate) use words;

words! {
    /// What a command asks for.
    CommandKind: u16 {
        /// Place an order: limit or market.
        Place = 1 "place",
        /// Change price or total quantity of a resting order.
        Amend = 2 "amend",
        /// Take a resting order out.
        Cancel = 3 "cancel",
        /// Take all resting orders of an account out, on one instrument or all.
        MassCancel = 4 "mass_cancel",
        /// Cancel all of an account's resting orders unless the command comes again in time (a dead man's switch).
        CancelAllAfter = 5 "cancel_all_after",
        /// Place an order that waits for a price: stop, take-profit, or both of which one cancels the other.
        PlaceTrigger = 6 "place_trigger",
        /// Change prices or quantity of an order that waits.
        AmendTrigger = 7 "amend_trigger",
        /// Place an order with exits, take-profit and stop-loss, that its fills arm.
        PlaceBracket = 8 "place_bracket",
        /// Set, reset or remove the market-maker protection of an account on an instrument.
        SetProtection = 9 "set_protection",
        /// Open a margin account for an owner.
        OpenAccount = 16 "open_account",
        /// Credit an account from outside.
        Deposit = 17 "deposit",
        /// Pay out of an account to outside.
        Withdraw = 18 "withdraw",
        /// Pay one unit a lot and receive one lot of every outcome.
        SplitSet = 20 "split_set",
        /// Give one lot of every outcome and receive one unit a lot.
        MergeSet = 21 "merge_set",
        /// Move money between two accounts of one owner.
        Transfer = 22 "transfer",
        /// Choose the leverage of an account on a perpetual.
        SetLeverage = 23 "set_leverage",
        /// Choose standard or scenario margin for an account.
        SetMarginMode = 24 "set_margin_mode",
        /// Let time pass.
        Tick = 32 "tick",
        /// Set an instrument's mark price.
        SetMark = 33 "set_mark",
        /// Set an instrument's index price.
        SetIndex = 34 "set_index",
        /// Open, restrict or halt an instrument.
        SetInstrumentState = 35 "set_instrument_state",
        /// Declare the outcome that pays.
        ResolveQuestion = 36 "resolve_question",
        /// A publisher tells an index price, and perhaps the price of an external perpetual.
        PublishPrice = 37 "publish_price",
        /// The exchange was started again: prices must be told anew before instruments that have an oracle open.
        Restart = 38 "restart",
        /// Tell what classes an account has: of a credential that a gateway has verified, or after its revocation.
        SetCredentials = 41 "set_credentials",
        /// Pay what a venue, or the deployer of an instrument, has of fees to the account that its specification names.
        CollectFees = 44 "collect_fees",
        /// Set or remove the highest fee rate at which an account trades through a venue.
        SetFeeCap = 45 "set_fee_cap",
        /// Say, once, who brought an account: it gets the referrer's share of the account's fees.
        SetReferrer = 46 "set_referrer",
        /// Challenge the payouts that a resolver proposed.
        ChallengeResolution = 47 "challenge_resolution",
        /// A resolver of the second set votes for a question to be void.
        VoidQuestion = 48 "void_question",
        /// Collect orders of an instrument until a time and fill them at one price.
        StartAuction = 55 "start_auction",
        /// Create an asset, venue, instrument or question (variable body).
        Deploy = 64 "deploy",
        /// Take back an announced change of a market.
        WithdrawChange = 65 "withdraw_change",
        /// Announce that a market will be wound down.
        Delist = 66 "delist",
        /// Stake as a deployer.
        Stake = 67 "stake",
        /// Take back what of a stake is free.
        Unstake = 68 "unstake",
        /// Buy a slot for one more market at the price of the auction.
        BuySlot = 69 "buy_slot",
        /// Vote for or against a proposed act of governance.
        Vote = 70 "vote",
        /// A guardian restricts an instrument for a time, or ends that.
        Emergency = 71 "emergency",
    }
}

words! {
    /// Buy or sell.
    Side: u8 {
        /// Buy.
        Buy = 0 "buy",
        /// Sell.
        Sell = 1 "sell",
    }
}

impl Side {
    /// The other side.
    #[inline(always)]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Buy => Self::Sell,
            Self::Sell => Self::Buy,
        }
    }

    /// +1 for buy, -1 for sell.
    #[inline(always)]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Buy => 1,
            Self::Sell => -1,
        }
    }
}

words! {
    /// Time in force.
    Tif: u8 {
        /// Good till cancelled.
        Gtc = 0 "gtc",
        /// Immediate or cancel.
        Ioc = 1 "ioc",
        /// Fill or kill.
        Fok = 2 "fok",
        /// Good till date: until `expires_ns` of logged time.
        Gtd = 3 "gtd",
    }
}

words! {
    /// Self-trade prevention: what happens when an order meets one of the same owner.
    SelfTrade: u8 {
        /// They trade.
        None = 0 "none",
        /// The rest of the incoming order is cancelled.
        CancelTaker = 1 "cancel_taker",
        /// The resting order is cancelled.
        CancelMaker = 2 "cancel_maker",
        /// Both are cancelled.
        CancelBoth = 3 "cancel_both",
        /// Both shrink by the smaller quantity.
        Decrement = 4 "decrement",
    }
}

words! {
    /// The price that a waiting order watches.
    #[derive(Default)]
    PriceSource: u8 {
        /// Price of the last trade.
        #[default]
        Last = 0 "last",
        /// Mark price.
        Mark = 1 "mark",
        /// Index price.
        Index = 2 "index",
    }
}

words! {
    /// Execution order inside one frame.
    Matching: u8 {
        /// As the commands arrived.
        Arrival = 0 "arrival",
        /// Cancels, then post-only, then everything that may take.
        MakerFirst = 1 "maker_first",
    }
}

words! {
    /// What an instrument accepts.
    InstrumentState: u8 {
        /// Everything.
        Continuous = 0 "continuous",
        /// Cancels, and orders flagged reduce-only.
        ReduceOnly = 1 "reduce_only",
        /// Cancels.
        CancelOnly = 2 "cancel_only",
        /// Cancels; halted by an operator.
        Halted = 3 "halted",
        /// Nothing: the question is resolved.
        Settled = 4 "settled",
        /// Cancels, and orders that must not take.
        PostOnly = 5 "post_only",
        /// Cancels, and limit orders that rest without a match until they are filled at one price.
        Auction = 6 "auction",
        /// Nothing, for a moment: its auction is being filled.
        Uncrossing = 7 "uncrossing",
    }
}

words! {
    /// What a change is about.
    MarketKind: u8 {
        /// A spot instrument or perpetual.
        Instrument = 0 "instrument",
        /// A venue.
        Venue = 1 "venue",
        /// A question with its outcomes.
        Question = 2 "question",
    }
}

words! {
    /// Why an order left without being filled.
    CancelReason: u16 {
        /// Its owner cancelled it.
        Requested = 1 "requested",
        /// Its owner cancelled all.
        MassCancel = 2 "mass_cancel",
        /// Immediate-or-cancel remainder.
        IocRemainder = 3 "ioc_remainder",
        /// Good-till-date passed.
        Expired = 4 "expired",
        /// Amended to a total at or below what was filled.
        AmendedAway = 5 "amended_away",
        /// Self-trade prevention.
        SelfTrade = 6 "self_trade",
        /// Its owner could no longer afford the fill.
        Unaffordable = 7 "unaffordable",
        /// Reduce-only and nothing left to reduce.
        ReduceOnly = 8 "reduce_only",
        /// Resting outside the price band when it was reached.
        OutsideBand = 9 "outside_band",
        /// The question was resolved.
        Settled = 10 "settled",
        /// The command met the declared number of matches.
        MatchLimit = 11 "match_limit",
        /// Its account is being liquidated.
        Liquidation = 16 "liquidation",
        /// It held collateral that is sold for a debt of its account.
        Conversion = 17 "conversion",
        /// The countdown of cancel_all_after ran out.
        CancelAllAfter = 20 "cancel_all_after",
        /// Its entry, or the exits of its entry, are gone.
        Linked = 21 "linked",
        /// The position that it would have closed is closed or turned.
        PositionClosed = 22 "position_closed",
        /// Market-maker protection: too much traded in its window.
        Protection = 23 "protection",
        /// The account's classes are no longer those that its venue wants, or those of the order's profile.
        NotAdmitted = 25 "not_admitted",
        /// It would have traded too far from the price a window ago; its instrument halted.
        Volatility = 24 "volatility",
        /// Trading of its question stopped.
        QuestionClosed = 30 "question_closed",
        /// Its instrument was delisted.
        Delisted = 36 "delisted",
        /// An outcome is being added: any_other is not what it was.
        OutcomeAdded = 31 "outcome_added",
    }
}

words! {
    /// What happened.
    EventKind: u16 {
        /// The outcome of a place: fills, a rest or a cancelled remainder follow.
        OrderAccepted = 1 "order_accepted",
        /// The command had no effect; `reason` holds the numbered reject.
        Rejected = 2 "rejected",
        /// A match: the incoming order, its counterpart, both fees.
        Trade = 3 "trade",
        /// An order left the book, or a remainder did not rest; `reason` holds the cancel reason.
        OrderCancelled = 4 "order_cancelled",
        /// The outcome of an amend.
        OrderAmended = 5 "order_amended",
        /// A fill closed lots of a position and realised profit or loss.
        PnlRealised = 6 "pnl_realised",
        /// The outcome of a mass cancel; one order_cancelled for each order follows.
        MassCancelled = 7 "mass_cancelled",
        /// A countdown runs, or stands still (`qty` 0).
        CancelAllAfterSet = 8 "cancel_all_after_set",
        /// A countdown ran out; one order_cancelled for each order follows.
        CancelAllAfterFired = 9 "cancel_all_after_fired",
        /// An order waits for a price; of a bracket: for fills of its entry.
        TriggerAccepted = 10 "trigger_accepted",
        /// The price was reached; the order follows as accepted or rejected.
        TriggerFired = 11 "trigger_fired",
        /// A waiting order left; `reason` holds the cancel reason.
        TriggerCancelled = 12 "trigger_cancelled",
        /// The outcome of an amend of a waiting order.
        TriggerAmended = 13 "trigger_amended",
        /// A market-maker protection stands, anew, or is gone (`qty` and `price` 0).
        ProtectionSet = 14 "protection_set",
        /// A market-maker protection was breached: flagged orders leave, new ones are refused for a time.
        ProtectionBreached = 15 "protection_breached",
        /// An account stands.
        AccountOpened = 16 "account_opened",
        /// An account was credited from outside.
        Deposited = 17 "deposited",
        /// An account paid out.
        Withdrawn = 18 "withdrawn",
        /// Complete sets were created.
        SetSplit = 20 "set_split",
        /// Complete sets were redeemed.
        SetMerged = 21 "set_merged",
        /// Money moved between two accounts of one owner.
        Transferred = 22 "transferred",
        /// An account chose its leverage on a perpetual.
        LeverageSet = 23 "leverage_set",
        /// An account chose standard or scenario margin.
        MarginModeSet = 24 "margin_mode_set",
        /// An underlying stands.
        UnderlyingDeployed = 25 "underlying_deployed",
        /// Time passed.
        Ticked = 32 "ticked",
        /// A mark price stands.
        MarkSet = 33 "mark_set",
        /// An index price stands.
        IndexSet = 34 "index_set",
        /// An instrument changed state.
        InstrumentStateSet = 35 "instrument_state_set",
        /// A question is resolved; payouts follow.
        QuestionResolved = 36 "question_resolved",
        /// A resolved question paid, or took from, an account.
        Payout = 37 "payout",
        /// A publisher told a price.
        PricePublished = 38 "price_published",
        /// An instrument's prices became live or stale, or went a step up after a restart.
        PriceStatusSet = 39 "price_status_set",
        /// The exchange was started again.
        Restarted = 40 "restarted",
        /// An interval of a perpetual ended: its funding rate; payments follow.
        FundingSet = 41 "funding_set",
        /// Funding moved between an account and the others.
        FundingPaid = 42 "funding_paid",
        /// A publisher stands.
        PublisherDeployed = 43 "publisher_deployed",
        /// The shown lots of an iceberg were used up: the next ones stand at the back of its price level.
        OrderReplenished = 44 "order_replenished",
        /// An instrument was halted before a trade too far away, or went a step of its reopening.
        VolatilityHalt = 47 "volatility_halt",
        /// An account fell below its maintenance requirement: equity and requirement.
        LiquidationStarted = 48 "liquidation_started",
        /// A liquidation order; its trades follow under order 0.
        LiquidationOrder = 49 "liquidation_order",
        /// A fee on what a liquidation order traded, to the insurance fund; balance of the fund after.
        LiquidationFee = 50 "liquidation_fee",
        /// The market's liquidity tranche took over lots; realised profit of the account that gave them.
        TrancheTookOver = 51 "tranche_took_over",
        /// The insurance fund paid a deficit; balance of the fund after.
        InsurancePaid = 52 "insurance_paid",
        /// A bankrupt position was closed against the other side; its account's realised profit.
        BankruptcyClosed = 53 "bankruptcy_closed",
        /// Receipt of an account on the other side: realised profit, and what it lost against the mark.
        Deleveraged = 54 "deleveraged",
        /// What rounding left of a bankrupt account or of a round of deleveraging went to the insurance fund; its balance after.
        InsuranceReceived = 55 "insurance_received",
        /// An account is out of liquidation: equity and requirement.
        LiquidationEnded = 56 "liquidation_ended",
        /// Collateral of an account that owes too much, or is being liquidated, is offered in the spot book.
        ConversionOrder = 57 "conversion_order",
        /// What such an order sold, and what it brought.
        CollateralConverted = 58 "collateral_converted",
        /// An asset stands.
        AssetDeployed = 64 "asset_deployed",
        /// A venue stands.
        VenueDeployed = 65 "venue_deployed",
        /// An instrument stands.
        InstrumentDeployed = 66 "instrument_deployed",
        /// A question stands; its instruments follow each with instrument_deployed.
        QuestionDeployed = 67 "question_deployed",
        /// A credential class stands.
        ClassDeployed = 70 "class_deployed",
        /// An account has these classes now; orders that they do not admit leave.
        CredentialsSet = 71 "credentials_set",
        /// An account's credential ran out: it has no classes any more, and orders leave.
        CredentialsExpired = 72 "credentials_expired",
        /// An order passed over resting orders of a profile with which it may not trade, at a price that it reached.
        LiquiditySkipped = 73 "liquidity_skipped",
        /// A share of fees was paid to the account that it is for.
        FeesCollected = 75 "fees_collected",
        /// A cap of fees stands, anew, or is gone (`qty` -1).
        FeeCapSet = 76 "fee_cap_set",
        /// An account has a referrer.
        ReferrerSet = 77 "referrer_set",
        /// Receipt of a fee: who received which part of it.
        FeeDivided = 78 "fee_divided",
        /// A question is settled with this share of its unit for an outcome.
        OutcomePayout = 80 "outcome_payout",
        /// Everybody is paid: what rounding left of the question's collateral went to rounding.
        QuestionSettled = 81 "question_settled",
        /// Trading of a question stopped: its close time came.
        QuestionClosed = 82 "question_closed",
        /// A resolver proposed payouts; they follow.
        ResolutionProposed = 83 "resolution_proposed",
        /// The proposed payouts were challenged.
        ResolutionChallenged = 84 "resolution_challenged",
        /// A resolver of the second set voted; the payouts follow.
        ResolutionVoted = 85 "resolution_voted",
        /// A bond went back to whoever gave it.
        BondReturned = 86 "bond_returned",
        /// Part of a lost bond went to an account that was right.
        BondAwarded = 87 "bond_awarded",
        /// A bond, or what was left of it, was lost.
        BondForfeited = 88 "bond_forfeited",
        /// An outcome is being added to a question.
        OutcomeAdded = 89 "outcome_added",
        /// A position on any_other gave as much of an outcome that is being added.
        OutcomeCredited = 90 "outcome_credited",
        /// An outcome that was added trades.
        OutcomeOpened = 91 "outcome_opened",
        /// Interest on a debt went to the insurance fund; the account's total after.
        InterestCharged = 94 "interest_charged",
        /// A match of an incoming order with all other outcomes of its question at once; a leg for each of them follows.
        ImpliedTrade = 96 "implied_trade",
        /// A resting order's part of such a match, at its own price.
        ImpliedLeg = 97 "implied_leg",
        /// An auction began; it collects orders until `counter_amount`.
        AuctionStarted = 100 "auction_started",
        /// An auction is priced, on the book as it stands: lots that trade, buyers' lots less sellers', the reference price.
        AuctionPriced = 101 "auction_priced",
        /// An auction is over: lots that it filled.
        AuctionClosed = 102 "auction_closed",
        /// Time passed, and an instrument, or a question, trades no more; it still accepts cancels.
        TradingClosed = 103 "trading_closed",
        /// A change of a market is announced, and takes effect at `counter_amount`.
        ChangeAnnounced = 105 "change_announced",
        /// An announced change is taken back; by time: its market closed before.
        ChangeWithdrawn = 106 "change_withdrawn",
        /// An announced change took effect.
        ChangeEffective = 107 "change_effective",
        /// A market will be wound down at `counter_amount`; until then it only reduces, where it has positions.
        DelistingAnnounced = 108 "delisting_announced",
        /// A market is wound down: positions are settled at `price`.
        DelistingBegun = 109 "delisting_begun",
        /// A position of a delisted perpetual was settled.
        PositionSettled = 110 "position_settled",
        /// Orders and positions of a delisted market are gone.
        MarketClosed = 111 "market_closed",
        /// Terms of governance stand.
        GovernanceDeployed = 112 "governance_deployed",
        /// A deployer staked.
        Staked = 113 "staked",
        /// A deployer took back what of its stake was free.
        Unstaked = 114 "unstaked",
        /// A deployer bought a slot.
        SlotBought = 115 "slot_bought",
        /// A market of a deployer stands, and locks a part of its stake.
        StakeLocked = 116 "stake_locked",
        /// A market of a deployer closed: its slot and stake are free at `counter_amount`.
        StakeReleased = 117 "stake_released",
        /// An act of governance is proposed, and voted on until `counter_amount`.
        ProposalMade = 118 "proposal_made",
        /// An account voted, with the weight `qty`.
        VoteCast = 119 "vote_cast",
        /// A vote ended for an act, which takes effect at `counter_amount`; weights for and against.
        ProposalPassed = 120 "proposal_passed",
        /// A vote ended against an act, or the act is refused now: `reason`.
        ProposalFailed = 121 "proposal_failed",
        /// An act that passed takes effect.
        ProposalEffective = 122 "proposal_effective",
        /// A deployer lost a part of its stake.
        StakeSlashed = 123 "stake_slashed",
        /// An account was paid of it for what it lost; `counter_amount` was claimed.
        HarmPaid = 124 "harm_paid",
        /// A guardian restricts an instrument until `counter_amount`.
        EmergencySet = 125 "emergency_set",
        /// Such a restriction is over; there is no other one until `counter_amount`.
        EmergencyEnded = 126 "emergency_ended",
    }
}
