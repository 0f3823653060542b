//! What the agent's screen shows, and what to press about it. Pure: text in, a decision out.
//!
//! The screens of Claude Code 2.1.197 are kept in `screens/`, as tmux captured them.

/// How a rule of the input box begins. It is as wide as the terminal; the agent's own drawings have corners.
const RULE: &str = "────────────────────";

/// What the input box begins with: the usual prompt, and the one of its shell mode.
const PROMPTS: [char; 2] = ['❯', '!'];

/// What the spinner beside "Thinking…" looks like from moment to moment.
const SPINNER: [char; 7] = ['·', '✢', '✳', '✶', '✻', '✽', '*'];

/// What the empty box may suggest. It is no text that somebody typed.
const SUGGESTION: &str = "Try \"";

/// What is said while a turn runs.
const INTERRUPTIBLE: &str = "esc to interrupt";

/// What the agent's screen shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum View {
    /// The input box, empty, and no turn is running.
    Ready,
    /// The input box with text in it that was not sent, and no turn is running.
    Draft(String),
    /// The input box, and a turn is running.
    Working,
    /// A known dialog, and the key that leads on.
    Dialog(Key),
    /// The agent wants somebody to sign in.
    SignIn,
    /// The agent did not reach what it needs to start.
    Unreachable,
    /// Anything else: an empty screen, half a drawing, an unknown dialog.
    Unknown,
}

/// A key to press.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    Enter,
    Up,
    Down,
}

impl Key {
    /// Returns its name in tmux.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Enter => "Enter",
            Self::Up => "Up",
            Self::Down => "Down",
        }
    }
}

/// A dialog of the agent's start.
struct Dialog {
    /// What stands in it and in no other.
    mark: &'static str,
    answer: Answer,
}

enum Answer {
    /// What is chosen already.
    Enter,
    /// The option that begins so.
    Option(&'static str),
    /// Only a person can.
    SignIn,
}

/// The known dialogs. The cage is what "a sandboxed container" is, its project was copied there to be worked on, and a
/// key in the agent's environment is there to be used: that is what the answers say.
const DIALOGS: [Dialog; 7] = [
    Dialog { mark: "Choose the text style", answer: Answer::Enter },
    Dialog { mark: "Security notes:", answer: Answer::Enter },
    Dialog { mark: "Accessing workspace:", answer: Answer::Option("Yes, I trust this folder") },
    Dialog { mark: "in Bypass Permissions mode", answer: Answer::Option("Yes, I accept") },
    Dialog { mark: "Detected a custom API key", answer: Answer::Option("Yes") },
    Dialog { mark: "Select login method:", answer: Answer::SignIn },
    Dialog { mark: "Paste code here if prompted", answer: Answer::SignIn },
];

/// Says what a captured screen shows.
pub(super) fn read(screen: &str) -> View {
    let lines: Vec<&str> = screen.lines().map(str::trim_end).collect();
    if let Some(input) = InputBox::find(&lines) {
        return input.view();
    }
    if screen.contains("Unable to connect to Anthropic services") {
        return View::Unreachable;
    }
    let known = DIALOGS.iter().find(|dialog| screen.contains(dialog.mark));
    match known.map(|dialog| &dialog.answer) {
        None => View::Unknown,
        Some(Answer::Enter) => View::Dialog(Key::Enter),
        Some(Answer::SignIn) => View::SignIn,
        Some(Answer::Option(wanted)) => choose(&lines, wanted).map_or(View::Unknown, View::Dialog),
    }
}

/// Returns the key that leads to an option: one step towards it, or Enter when it is marked.
fn choose(lines: &[&str], wanted: &str) -> Option<Key> {
    let options: Vec<(bool, &str)> = lines.iter().filter_map(|line| option(line)).collect();
    let marked = options.iter().position(|(marked, _)| *marked)?;
    let wanted = options.iter().position(|(_, label)| label.starts_with(wanted))?;
    Some(match wanted.cmp(&marked) {
        std::cmp::Ordering::Less => Key::Up,
        std::cmp::Ordering::Equal => Key::Enter,
        std::cmp::Ordering::Greater => Key::Down,
    })
}

/// Reads a line such as `❯ 2. Yes, I accept`: whether it is marked, and its label.
fn option(line: &str) -> Option<(bool, &str)> {
    let line = line.trim();
    let (marked, line) = match line.strip_prefix('❯') {
        Some(rest) => (true, rest.trim_start()),
        None => (false, line),
    };
    let (number, label) = line.split_once(". ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((marked, label))
}

/// The input box: two rules with the prompt between them, and what stands above and below.
struct InputBox<'a> {
    above: &'a [&'a str],
    inside: &'a [&'a str],
    below: &'a [&'a str],
}

impl<'a> InputBox<'a> {
    fn find(lines: &'a [&'a str]) -> Option<Self> {
        let is_rule = |line: &&str| line.starts_with(RULE);
        let bottom = lines.iter().rposition(is_rule)?;
        let top = lines[..bottom].iter().rposition(is_rule)?;
        let inside = &lines[top + 1..bottom];
        inside.first()?.starts_with(PROMPTS).then_some(Self {
            above: &lines[..top],
            inside,
            below: &lines[bottom + 1..],
        })
    }

    fn view(&self) -> View {
        if self.is_working() {
            return View::Working;
        }
        if self.below.iter().any(|line| line.contains("Not logged in")) {
            return View::SignIn;
        }
        match self.text() {
            text if text.is_empty() || text.starts_with(SUGGESTION) => View::Ready,
            text => View::Draft(text),
        }
    }

    /// A turn runs when its end can be asked for, or the spinner turns. Hints take the place of the first for a while.
    fn is_working(&self) -> bool {
        self.below.iter().any(|line| line.contains(INTERRUPTIBLE)) || self.spins()
    }

    /// Looks at the last line above the box that is neither empty nor indented: hints and queued prompts are.
    fn spins(&self) -> bool {
        let last = self.above.iter().rev().find(|line| !line.is_empty() && !line.starts_with(' '));
        last.is_some_and(|line| line.starts_with(SPINNER) && line.contains('…'))
    }

    fn text(&self) -> String {
        let text = self.inside.join("\n").replace('\u{a0}', " ");
        text.strip_prefix('❯').unwrap_or(&text).trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    macro_rules! screen {
        ($name:literal) => {
            include_str!(concat!("screens/", $name, ".txt"))
        };
    }

    #[test]
    fn goes_on_from_dialogs_that_need_no_choice() {
        assert_eq!(read(screen!("theme")), View::Dialog(Key::Enter));
        assert_eq!(read(screen!("security_notes")), View::Dialog(Key::Enter));
    }

    #[test]
    fn confirms_an_answer_only_when_it_is_marked() {
        assert_eq!(read(screen!("trust")), View::Dialog(Key::Enter));
        assert_eq!(read(screen!("bypass_no")), View::Dialog(Key::Down), "Enter would end the agent");
        assert_eq!(read(screen!("bypass_yes")), View::Dialog(Key::Enter));
        assert_eq!(read(screen!("api_key_no")), View::Dialog(Key::Up));
        assert_eq!(read(screen!("api_key_yes")), View::Dialog(Key::Enter));
    }

    #[test]
    fn presses_nothing_in_a_dialog_without_the_known_answer() {
        let other = screen!("bypass_no").replace("Yes, I accept", "Perhaps");
        assert_eq!(read(&other), View::Unknown);
        assert_eq!(read("\n\n"), View::Unknown);
    }

    #[test]
    fn leaves_signing_in_to_a_person() {
        assert_eq!(read(screen!("login_method")), View::SignIn);
        assert_eq!(read(screen!("not_logged_in")), View::SignIn);
    }

    #[test]
    fn sees_that_the_agent_did_not_reach_its_service() {
        assert_eq!(read(screen!("unreachable")), View::Unreachable);
    }

    #[test]
    fn finds_the_input_box() {
        assert_eq!(read(screen!("ready")), View::Ready);
        assert_eq!(read(screen!("done")), View::Ready);
        assert_eq!(read(screen!("ended_by_escape")), View::Draft("slow one".to_owned()));
        assert_eq!(read(screen!("pasted")), View::Draft("[Pasted text #1 +3 lines]".to_owned()));
        assert_eq!(read(screen!("shell_mode")), View::Draft("! ls".to_owned()));
        let suggestion = screen!("ready").replace("❯\u{a0}", "❯\u{a0}Try \"fix lint errors\"");
        assert_eq!(read(&suggestion), View::Ready);
    }

    #[test]
    fn sees_a_running_turn_also_while_a_hint_hides_how_to_interrupt_it() {
        assert_eq!(read(screen!("working")), View::Working);
        assert_eq!(read(screen!("working_hint")), View::Working);
        assert_eq!(read(screen!("queued")), View::Working);
    }

    #[test]
    fn takes_what_the_agent_says_for_no_dialog() {
        let said =
            screen!("done").replace("Answer", "Select login method: Detected a custom API key. ❯ 1. Yes");
        assert_eq!(read(&said), View::Ready);
    }
}
