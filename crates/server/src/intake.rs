//! Taking in: messages of a connection, logon, numbers, and admission before the log.

use crate::client::each;
use crate::connection::{Connection, Stage};
use crate::directory::{NOBODY, Owner};
use crate::frame::{Batch, Deployment};
use crate::gateway::Gateway;
use crate::keys::{Key, Proof};
use crate::questions::{QUESTIONS_MAX, Question};
use crate::sessions::Session;
use crate::throttle::{Bucket, is_cancel};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use xos_node::DEPLOY_BYTES_MAX;
use xos_protocol::{
    CommandKind, CommandRecord, DEPLOY_PART_BYTES, Goodbye, Heartbeat, LoggedOn, Logon, LogonFlags,
    MESSAGE_BYTES_MAX, MESSAGE_HEADER_BYTES, MessageHeader, MessageKind, Refused, Resumption, SessionCode,
    Subscription,
};
use zerocopy::FromBytes;

/// Heartbeats that clients may choose, milliseconds.
const HEARTBEAT_MS: std::ops::RangeInclusive<u32> = 10..=60_000;

/// A command that is not taken: why, the value, the limit, when it would be.
type Refusal = (SessionCode, u64, u64, u64);

impl Gateway {
    /// Takes every whole message that has come, as long as the batch has room.
    pub(crate) fn take_messages(&mut self, at: usize, now_ns: u64, batch: &mut Batch) {
        loop {
            let Some(connection) = &mut self.connections[at] else { return };
            if connection.over.is_some() {
                return;
            }
            let unread = connection.unread();
            let header = match MessageHeader::read(unread, MESSAGE_BYTES_MAX) {
                Ok(Some(header)) if unread.len() >= header.length as usize => header,
                Ok(_) => return,
                Err(bad) => return connection.end(bad.code, bad.value, bad.limit),
            };
            let kind = header.kind();
            let goes_on =
                matches!(kind, Some(MessageKind::Deploy | MessageKind::Heartbeat | MessageKind::Goodbye));
            if !connection.deployment.is_empty() && !goes_on {
                return connection.end(SessionCode::UnexpectedMessage, u64::from(header.kind), 0);
            }
            match (&connection.stage, kind) {
                (Stage::Waiting, Some(MessageKind::Logon)) if header.count == 1 => self.log_on(at, now_ns),
                (Stage::Open(session), Some(MessageKind::Commands)) => {
                    let session = session.clone();
                    self.take_commands(at, &session, header, now_ns, batch);
                }
                (Stage::Open(session), Some(MessageKind::Deploy)) => {
                    let session = session.clone();
                    self.take_deployment(at, &session, header, now_ns, batch);
                }
                (Stage::Open(_), Some(MessageKind::Heartbeat)) if header.count == 1 => {
                    self.echo(at);
                }
                (Stage::Open(_), Some(kind @ (MessageKind::Subscribe | MessageKind::Unsubscribe))) => {
                    self.take_subscriptions(at, kind, header);
                }
                (Stage::Open(session), Some(MessageKind::Ask)) => {
                    let session = session.clone();
                    self.take_question(at, &session, header);
                }
                (_, Some(MessageKind::Goodbye)) => connection.end(SessionCode::Farewell, 0, 0),
                _ => connection.end(SessionCode::UnexpectedMessage, u64::from(header.kind), 0),
            }
            if let Some(connection) = &mut self.connections[at] {
                connection.consume(header.length as usize);
            }
        }
    }

    fn echo(&mut self, at: usize) {
        let now_ns = self.now_ns();
        let Some(connection) = &mut self.connections[at] else { return };
        let Ok((heard, _)) = Heartbeat::read_from_prefix(&connection.unread()[MESSAGE_HEADER_BYTES..]) else {
            return;
        };
        // An echo is not echoed.
        if heard.sent_ns != 0 {
            let echo = Heartbeat { sent_ns: 0, echo_ns: heard.sent_ns };
            connection.say(MessageKind::Heartbeat, 0, &[echo]);
            connection.flush(now_ns);
        }
    }

    fn take_subscriptions(&mut self, at: usize, kind: MessageKind, header: MessageHeader) {
        let Some(connection) = &mut self.connections[at] else { return };
        let id = connection.id;
        let records = &connection.unread()[MESSAGE_HEADER_BYTES..header.length as usize];
        let records: Vec<_> = each::<Subscription>(records).collect();
        if let Some(bad) = records.iter().find(|record| !matches!(record.level, 2 | 3)) {
            return connection.end(SessionCode::Malformed, u64::from(bad.level), 3);
        }
        for record in records {
            if kind == MessageKind::Subscribe {
                self.want(at, id, record);
            } else {
                self.unsubscribe(at, record);
            }
        }
    }

    fn take_question(&mut self, at: usize, session: &Session, header: MessageHeader) {
        let shared = self.shared.clone();
        let key = shared.keys.get(session.key);
        let Some(connection) = &mut self.connections[at] else { return };
        let body = connection.unread()[MESSAGE_HEADER_BYTES..header.length as usize].to_vec();
        let (number, owner, operates) = (header.number(), key.owner, key.scopes.operate);
        let question = Question { at, connection: connection.id, number, owner, operates, body };
        if !shared.questions.bring(question) {
            let limit = QUESTIONS_MAX as u64;
            let code = SessionCode::TooManyQuestions.code();
            let refused = Refused { code, value: number, limit, ..Refused::default() };
            connection.say(MessageKind::Refused, 0, &[refused]);
            self.touched.push(at);
        }
    }

    /// Sends the answers that have come from whoever answers questions.
    pub(crate) fn say_answers(&mut self) {
        for (question, body) in self.shared.questions.answers() {
            let Some(Some(connection)) = self.connections.get_mut(question.at) else { continue };
            if connection.id != question.connection {
                continue;
            }
            // A part that is full is followed by another one, if only an empty one.
            let mut rest = body.as_slice();
            loop {
                let (part, behind) = rest.split_at(rest.len().min(usize::from(u16::MAX)));
                connection.say(MessageKind::Answer, question.number, part);
                if part.len() < usize::from(u16::MAX) {
                    break;
                }
                rest = behind;
            }
            self.touched.push(question.at);
        }
        self.flush_touched();
    }

    fn log_on(&mut self, at: usize, now_ns: u64) {
        let shared = self.shared.clone();
        let Some(connection) = &mut self.connections[at] else { return };
        let Ok((logon, _)) = Logon::read_from_prefix(&connection.unread()[MESSAGE_HEADER_BYTES..]) else {
            return;
        };
        let Some(key_at) = shared.keys.verify(&logon, &connection.nonce) else {
            return connection.end(SessionCode::LogonRefused, 0, 0);
        };
        let flags = LogonFlags(logon.flags);
        if logon.flags & !LogonFlags::KNOWN != 0 {
            return connection.end(
                SessionCode::Malformed,
                u64::from(logon.flags),
                u64::from(LogonFlags::KNOWN),
            );
        }
        if !HEARTBEAT_MS.contains(&logon.heartbeat_ms) {
            let limit = u64::from(*HEARTBEAT_MS.end());
            return connection.end(SessionCode::Malformed, u64::from(logon.heartbeat_ms), limit);
        }
        let most = self.options.sessions_per_key_max;
        let Some(session) = shared.sessions.open(key_at, logon.session, logon.next_number, most) else {
            return connection.end(SessionCode::TooManySessions, u64::from(logon.session), most as u64);
        };
        let key = shared.keys.get(key_at);
        let owner = key.owner.map_or(NOBODY, |owner| self.directory.owner(owner));
        session.bind(connection.id);
        connection.stage = Stage::Open(session.clone());
        connection.owner = owner;
        connection.listens_only = flags.has(LogonFlags::DROP_COPY);
        connection.cancels_on_disconnect = flags.has(LogonFlags::CANCEL_ON_DISCONNECT);
        connection.silence_ns = u64::from(logon.heartbeat_ms) * 2_000_000;
        let resumption = if flags.has(LogonFlags::RESUME) {
            self.judge_resumption(at, logon.resume_mark, logon.resume_index)
        } else {
            Resumption::Fresh
        };
        let Some(connection) = &mut self.connections[at] else { return };
        let answer = LoggedOn {
            owner: key.owner.unwrap_or_default(),
            next_number: session.next_number(),
            durable_sequence: self.durable_sequence,
            oldest_mark: self.kept.oldest_mark(),
            heartbeat_ms: self.options.heartbeat_ms,
            resumption: resumption.code(),
            reserved: [0; 3],
        };
        connection.say(MessageKind::LoggedOn, 0, &[answer]);
        self.enlist(at, &session, owner, key);
        if resumption == Resumption::Resumed {
            self.resume(at, logon.resume_mark, logon.resume_index);
        }
        self.repeat_taken(at, &session, logon.next_number, now_ns);
    }

    /// Lets a connection hear of its owner's accounts; a drop copy of an operator hears of all.
    fn enlist(&mut self, at: usize, session: &Arc<Session>, owner: Owner, key: &Key) {
        let listens_only = self.connections[at].as_ref().is_some_and(|open| open.listens_only);
        let id = session.id as usize;
        if self.of_session.len() <= id {
            self.of_session.resize(id + 1, None);
        }
        // The one before, if it is here, is replaced at once and not at the next sweep.
        if let Some(before) = self.of_session[id].replace(at)
            && before != at
            && let Some(connection) = &mut self.connections[before]
        {
            connection.end(SessionCode::Replaced, 0, 0);
            self.close_if_over(before);
            self.of_session[id] = Some(at);
        }
        if key.owner.is_some() || listens_only {
            self.directory.listen(owner, at);
        }
    }

    fn repeat_taken(&mut self, at: usize, session: &Session, from: u64, now_ns: u64) {
        let taken = session.taken_from(from);
        let Some(connection) = &mut self.connections[at] else { return };
        for piece in taken.chunks(1_024) {
            connection.say(MessageKind::Taken, 0, piece);
        }
        connection.flush(now_ns);
    }

    fn take_commands(
        &mut self,
        at: usize,
        session: &Arc<Session>,
        header: MessageHeader,
        now_ns: u64,
        batch: &mut Batch,
    ) {
        let Some(skip) = self.due(at, session, header.number(), u64::from(header.count)) else { return };
        let Some(mut connection) = self.connections[at].take() else { return };
        let key = self.shared.clone();
        let key = key.keys.get(session.key);
        let size = size_of::<CommandRecord>();
        let mut refused: Vec<Refused> = Vec::new();
        let (mut admitted, mut cancels, mut late) = (0, 0, 0);
        for offset in skip..u64::from(header.count) {
            let from = MESSAGE_HEADER_BYTES + offset as usize * size;
            let bytes = &connection.unread()[from..from + size];
            let Ok(command) = CommandRecord::read_from_bytes(bytes) else { break };
            let number = header.number() + offset;
            match self.admit(&mut connection, key, &command, now_ns) {
                Ok(()) => {
                    batch.push(session.id, number, command);
                    admitted += 1;
                    if is_cancel(command.kind) {
                        cancels += 1;
                        late += u64::from(connection.rests_until_ns > now_ns);
                    }
                }
                Err(refusal) => note_refusal(&mut refused, number, refusal),
            }
        }
        session.advance_to(header.number() + u64::from(header.count));
        self.shared.stats.commands.fetch_add(admitted, Relaxed);
        self.shared.stats.cancels.fetch_add(cancels, Relaxed);
        self.shared.stats.cancels_over.fetch_add(late, Relaxed);
        self.say_refused(&mut connection, &refused, now_ns);
        self.connections[at] = Some(connection);
    }

    fn say_refused(&self, connection: &mut Connection, refused: &[Refused], now_ns: u64) {
        if refused.is_empty() {
            return;
        }
        let stats = &self.shared.stats;
        for refusal in refused {
            stats.refused.fetch_add(u64::from(refusal.count), Relaxed);
            if refusal.retry_ns > 0 {
                stats.throttled.fetch_add(u64::from(refusal.count), Relaxed);
            }
        }
        connection.say(MessageKind::Refused, 0, refused);
        connection.flush(now_ns);
    }

    /// How many of a message's commands were taken before; `None` if its number is past the one that is due.
    fn due(&mut self, at: usize, session: &Session, number: u64, count: u64) -> Option<u64> {
        let due = session.next_number();
        if number > due {
            if let Some(connection) = &mut self.connections[at] {
                connection.end(SessionCode::NumberGap, number, due);
            }
            return None;
        }
        let skip = (due - number).min(count);
        self.shared.stats.repeated.fetch_add(skip, Relaxed);
        (skip < count).then_some(skip)
    }

    fn is_publisher(&self, key: &Key, publisher: u32) -> bool {
        matches!(&key.proof, Proof::Public(public) if self.directory.is_key_of(publisher, public))
    }

    /// Every check before the log. A cancel has a budget of its own: it is always admitted.
    #[inline]
    fn admit(
        &mut self,
        connection: &mut Connection,
        key: &Key,
        command: &CommandRecord,
        now_ns: u64,
    ) -> Result<(), Refusal> {
        if connection.listens_only {
            return Err((SessionCode::ListensOnly, 0, 0, 0));
        }
        if !key.permits(CommandKind::from_code(command.kind)) {
            return Err((SessionCode::NotPermitted, u64::from(command.kind), 0, 0));
        }
        // A publisher's number stands where others have their account, and nobody but itself speaks for it.
        let of_account = command.kind != CommandKind::PublishPrice.code();
        if !of_account && !key.scopes.operate && !self.is_publisher(key, command.account) {
            return Err((SessionCode::NotYourAccount, u64::from(command.account), 0, 0));
        }
        if connection.owner != NOBODY
            && of_account
            && self.directory.owner_of(command.account) != connection.owner
        {
            return Err((SessionCode::NotYourAccount, u64::from(command.account), 0, 0));
        }
        if connection.cancels_on_disconnect && of_account {
            connection.traded.insert(command.account);
        }
        if is_cancel(command.kind) {
            let over_ns = connection.cancels.charge(self.options.cancel_rate, now_ns);
            connection.rests_until_ns = now_ns + over_ns;
            return Ok(());
        }
        let slow = |code, rate: crate::Rate| move |wait_ns| (code, 1, u64::from(rate.per_s), wait_ns);
        let options = &self.options;
        connection
            .bucket
            .take(options.session_rate, now_ns)
            .map_err(slow(SessionCode::SessionThrottled, options.session_rate))?;
        if options.account_rate.per_s > 0 && of_account && self.directory.owner_of(command.account) != NOBODY
        {
            let account = command.account as usize;
            if self.accounts.len() <= account {
                self.accounts.resize(account + 1, Bucket::default());
            }
            self.accounts[account]
                .take(options.account_rate, now_ns)
                .map_err(slow(SessionCode::AccountThrottled, options.account_rate))?;
        }
        if options.address_rate.per_s > 0 {
            let bucket = self.addresses.entry(connection.address).or_default();
            bucket
                .take(options.address_rate, now_ns)
                .map_err(slow(SessionCode::AddressThrottled, options.address_rate))?;
        }
        Ok(())
    }

    fn take_deployment(
        &mut self,
        at: usize,
        session: &Arc<Session>,
        header: MessageHeader,
        now_ns: u64,
        batch: &mut Batch,
    ) {
        let Some(_) = self.due(at, session, header.number(), 1) else { return };
        let operates = self.shared.keys.get(session.key).scopes.operate;
        let Some(mut connection) = self.connections[at].take() else { return };
        let number = header.number();
        let part = &connection.unread()[MESSAGE_HEADER_BYTES..header.length as usize];
        let bytes = connection.deployment.len() + part.len();
        let refusal = if !operates || connection.listens_only {
            Some((SessionCode::NotPermitted, 0, 0, 0))
        } else if bytes as u64 > DEPLOY_BYTES_MAX {
            Some((SessionCode::MessageTooLong, bytes as u64, DEPLOY_BYTES_MAX, 0))
        } else {
            None
        };
        let is_last = part.len() < DEPLOY_PART_BYTES;
        let part = part.to_vec();
        connection.deployment.extend(part);
        if let Some(refusal) = refusal {
            // What follows of it has a number that was refused before, and is passed over.
            connection.deployment = Vec::new();
            session.advance_to(number + 1);
            let mut refused = Vec::new();
            note_refusal(&mut refused, number, refusal);
            self.say_refused(&mut connection, &refused, now_ns);
        } else if is_last {
            session.advance_to(number + 1);
            let body = std::mem::take(&mut connection.deployment);
            let behind = batch.commands.len();
            batch.deployments.push(Deployment { session: session.id, number, behind, body });
            self.shared.stats.commands.fetch_add(1, Relaxed);
        }
        self.connections[at] = Some(connection);
    }
}

/// Adds a refusal; one like the last, of the next number, lengthens it.
fn note_refusal(refused: &mut Vec<Refused>, number: u64, (code, value, limit, retry_ns): Refusal) {
    if let Some(last) = refused.last_mut()
        && last.first_number + u64::from(last.count) == number
        && (last.code, last.value, last.limit) == (code.code(), value, limit)
    {
        last.count += 1;
        last.retry_ns = last.retry_ns.max(retry_ns);
        return;
    }
    let code = code.code();
    refused.push(Refused { first_number: number, count: 1, code, reserved: 0, value, limit, retry_ns });
}

/// What a goodbye says, in words.
pub fn goodbye_text(goodbye: &Goodbye) -> String {
    let name = SessionCode::from_code(goodbye.code).map_or("unknown", SessionCode::name);
    format!("{name} (value {}, limit {})", goodbye.value, goodbye.limit)
}
