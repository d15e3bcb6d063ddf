//! The commands of a load: a workload whose orders are named by client ids, divided over connections by account.

use xos_protocol::{ClientId, CommandKind, CommandRecord};
use xos_sim::bench::Run;

/// A workload as connections can send it.
pub struct Traffic {
    /// Name of the workload.
    pub name: String,
    /// What sets the exchange up, in order: deployments, then commands.
    pub deployments: Vec<Vec<u8>>,
    /// Accounts, money, marks, and the orders that rest before the load begins.
    pub prefill: Vec<CommandRecord>,
    /// What is sent, again and again: in each pass under other client ids.
    commands: Vec<CommandRecord>,
    lanes: usize,
}

/// The owner of a lane's accounts, and so of its key.
pub(crate) fn owner_of_lane(lane: usize) -> ClientId {
    let name = lane_name(lane);
    let mut owner = [0; 32];
    owner[..name.len()].copy_from_slice(name.as_bytes());
    owner
}

/// Name of a lane's key, and of its owner.
pub(crate) fn lane_name(lane: usize) -> String {
    format!("lane-{lane}")
}

/// An order's client id: the sequence that it has in the workload, and the pass.
fn client_id(sequence: u64, pass: u64) -> ClientId {
    let mut id = [0; 32];
    id[..8].copy_from_slice(&sequence.to_le_bytes());
    id[8..16].copy_from_slice(&pass.to_le_bytes());
    id[31] = b'o';
    id
}

impl Traffic {
    /// From a prepared run. Its orders are named by the sequence that they have when one connection sends
    /// everything; over several nobody knows it before the answer, so orders get client ids of the same number.
    pub fn of(run: Run, lanes: usize) -> Self {
        let mut next_account = 0;
        let first = run.deployments.len() as u64 + 1;
        let mut prefill = run.prefill;
        let mut opened = 0;
        for (at, command) in prefill.iter_mut().enumerate() {
            if command.kind() == Some(CommandKind::OpenAccount) {
                command.client_id = owner_of_lane(lane_of(next_account + 1, lanes));
                next_account += 1;
                opened = at;
            }
        }
        let set_up = opened + 1;
        for (at, command) in prefill.iter_mut().enumerate().skip(set_up) {
            name_by_client_id(command, first + at as u64);
        }
        let begin = first + prefill.len() as u64;
        let mut commands = run.commands;
        for (at, command) in commands.iter_mut().enumerate() {
            name_by_client_id(command, begin + at as u64);
        }
        Self { name: run.name, deployments: run.deployments, prefill, commands, lanes }
    }

    /// The lane that sends a command.
    pub(crate) fn lane(&self, at: u64) -> usize {
        lane_of(self.commands[(at % self.commands.len() as u64) as usize].account, self.lanes)
    }

    /// The command to be sent at a place of the endless sequence.
    pub(crate) fn command(&self, at: u64) -> CommandRecord {
        let length = self.commands.len() as u64;
        let mut command = self.commands[(at % length) as usize];
        if command.has_client_id() {
            command.client_id[8..16].copy_from_slice(&(at / length).to_le_bytes());
        }
        command
    }
}

fn lane_of(account: u32, lanes: usize) -> usize {
    account as usize % lanes
}

fn name_by_client_id(command: &mut CommandRecord, sequence: u64) {
    match command.kind() {
        Some(CommandKind::Place) => command.client_id = client_id(sequence, 0),
        Some(CommandKind::Cancel | CommandKind::Amend) => {
            command.client_id = client_id(command.order_id, 0);
            command.order_id = 0;
        }
        _ => {}
    }
}
