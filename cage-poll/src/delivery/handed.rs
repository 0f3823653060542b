//! What was handed to the agent and is not consumed yet.

use cage_proto::mailbox::EntryName;
use serde::{Deserialize, Serialize};

/// Messages that were handed over, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Handed {
    messages: Vec<Note>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    name: String,
    by: Bearer,
    /// Whether all tool calls of the model's message that was going on are done.
    batch_over: bool,
}

/// Who handed a message to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bearer {
    /// The supervisor, as the agent's next turn.
    Turn,
    /// The hook at the end of a turn, which makes it the next one.
    Stop,
    /// The hook behind a tool call, as additional context.
    Tool,
}

/// Something that shows that the agent went on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    /// The model answered to the turn it was given.
    Spoke,
    /// A tool was used. Tools of one message of the model run side by side, so this proves nothing about what another
    /// one of them brought until the batch is over.
    UsedTool,
    /// The model ended its turn.
    EndedTurn,
}

impl Handed {
    /// Reads the note. One that cannot be understood is as good as none: messages are then handed over again.
    pub(super) fn parse(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Names and words have no value that JSON cannot hold.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    pub(super) fn contains(&self, name: &EntryName) -> bool {
        self.messages.iter().any(|note| note.name == name.as_str())
    }

    pub(super) fn add(&mut self, name: &EntryName, by: Bearer) {
        self.messages.push(Note { name: name.as_str().to_owned(), by, batch_over: false });
    }

    /// Returns those that `proof` shows to have arrived.
    #[must_use]
    pub(super) fn arrived(&self, proof: Proof) -> Self {
        Self { messages: self.messages.iter().filter(|note| note.has_arrived(proof)).cloned().collect() }
    }

    /// Strikes out those that `proof` shows to have arrived.
    pub(super) fn strike_arrived(&mut self, proof: Proof) {
        self.messages.retain(|note| !note.has_arrived(proof));
    }

    /// Strikes out those that did not come from one of these.
    pub(super) fn keep_only(&mut self, bearers: &[Bearer]) {
        self.messages.retain(|note| bearers.contains(&note.by));
    }

    /// Takes note of the end of a batch of tool calls. Returns whether that changes anything.
    pub(super) fn end_batch(&mut self) -> bool {
        let mut changed = false;
        for note in &mut self.messages {
            changed |= !std::mem::replace(&mut note.batch_over, true);
        }
        changed
    }
}

impl Note {
    fn has_arrived(&self, proof: Proof) -> bool {
        match (proof, self.by) {
            (Proof::EndedTurn, _) | (Proof::Spoke, Bearer::Turn) => true,
            (Proof::UsedTool, by) => by != Bearer::Tool || self.batch_over,
            (Proof::Spoke, _) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn handed(by: Bearer) -> (Handed, EntryName) {
        let name: EntryName = "2026-03-26T14-30-00Z.json".parse().unwrap();
        let mut handed = Handed::default();
        handed.add(&name, by);
        (handed, name)
    }

    fn arrives(by: Bearer, proof: Proof) -> bool {
        let (mut handed, name) = handed(by);
        let arrived = handed.arrived(proof).contains(&name);
        handed.strike_arrived(proof);
        assert_eq!(handed.is_empty(), arrived);
        arrived
    }

    #[test]
    fn a_turn_has_arrived_when_the_model_does_anything() {
        for proof in [Proof::Spoke, Proof::UsedTool, Proof::EndedTurn] {
            assert!(arrives(Bearer::Turn, proof), "{proof:?}");
        }
    }

    #[test]
    fn words_of_the_model_prove_nothing_about_what_hooks_brought() {
        assert!(!arrives(Bearer::Stop, Proof::Spoke));
        assert!(!arrives(Bearer::Tool, Proof::Spoke));
    }

    #[test]
    fn context_has_arrived_only_with_a_tool_of_a_later_message() {
        assert!(!arrives(Bearer::Tool, Proof::UsedTool));
        let (mut handed, name) = handed(Bearer::Tool);
        assert!(handed.end_batch());
        assert!(!handed.end_batch());
        assert!(handed.arrived(Proof::UsedTool).contains(&name));
    }

    #[test]
    fn everything_has_arrived_when_the_turn_ends() {
        for by in [Bearer::Turn, Bearer::Stop, Bearer::Tool] {
            assert!(arrives(by, Proof::EndedTurn), "{by:?}");
        }
    }

    #[test]
    fn survives_its_file_and_a_file_of_someone_else() {
        let (handed, _) = handed(Bearer::Stop);
        assert_eq!(Handed::parse(&handed.to_bytes()), handed);
        assert!(Handed::parse(b"[1]").is_empty());
    }
}
