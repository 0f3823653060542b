//! The command line: a subcommand for each message type, with a flag for each of its members.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use cage_proto::limits::ASKED_TIME_MAX;
use cage_proto::mailbox::Mailbox;
use cage_proto::message::{Kind, Member, MessageId, Shape};
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Arg, ArgAction, ArgMatches, Command, ValueHint, value_parser};

/// How long `--wait` waits when no number is given, in seconds; as long as `cage-poll` does.
const WAIT_SECONDS: &str = "7200";

/// What the command line asks for.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) kind: Kind,
    /// The positional payload, as typed.
    pub(crate) payload: Option<OsString>,
    /// The members given by flags, as typed.
    pub(crate) flags: Vec<Flag>,
    pub(crate) id: Option<MessageId>,
    pub(crate) mailbox: Mailbox,
    pub(crate) dir: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) wait: Option<Duration>,
}

/// A member given by a flag.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) member: &'static Member,
    pub(crate) values: Vec<String>,
}

/// Reads the command line.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Request, clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(args)?;
    // clap has refused everything but one of our subcommands.
    let unknown = || clap::Error::raw(clap::error::ErrorKind::InvalidSubcommand, "no such message type\n");
    let (name, of_type) = matches.subcommand().ok_or_else(unknown)?;
    let kind = name.parse().map_err(|_| unknown())?;
    Ok(request(kind, of_type, &matches))
}

/// Takes what was given behind the type's name, and the sending flags before it.
fn request(kind: Kind, matches: &ArgMatches, before: &ArgMatches) -> Request {
    let flags = kind.members().iter().filter_map(|member| {
        let values = matches.get_many::<String>(member.name)?.cloned().collect();
        Some(Flag { member, values })
    });
    let wait = if kind == Kind::InfoRequest { matches.get_one("wait").copied() } else { None };
    Request {
        kind,
        payload: matches.get_one("PAYLOAD").cloned(),
        flags: flags.collect(),
        id: matches.get_one("id").or(before.get_one("id")).cloned(),
        mailbox: matches.get_one("mailbox").or(before.get_one("mailbox")).copied().unwrap_or(Mailbox::Outbox),
        dir: matches.get_one("dir").or(before.get_one("dir")).cloned(),
        json: matches.get_flag("json") || before.get_flag("json"),
        wait: wait.map(Duration::from_secs),
    }
}

/// Builds the parser.
pub fn command() -> Command {
    Command::new("cage-send")
        // Wrapped at the terminal's width, an example could not be pasted any more.
        .term_width(0)
        .version(env!("CARGO_PKG_VERSION"))
        .about("Sends one message: stored and durable when it exits 0.")
        .after_help(EXIT_CODES)
        .subcommand_required(true)
        .arg_required_else_help(true)
        .disable_help_subcommand(true)
        .subcommand_value_name("TYPE")
        .subcommand_help_heading("Message types")
        .args(sending_flags())
        .subcommands(Kind::ALL.map(subcommand))
}

const EXIT_CODES: &str = "\
Exit codes:
  0   sent and durable
  1   rejected, nothing was written
  2   usage
  74  storage error, certainly not stored
  75  not certain: repeat it with the same --id";

fn subcommand(kind: Kind) -> Command {
    // Only the type that is sent needs its flags; to build those of all would take longer than to send.
    Command::new(kind.name()).about(sentence(kind.about())).defer(with_members)
}

fn with_members(command: Command) -> Command {
    let Ok(kind) = command.get_name().parse::<Kind>() else { return command };
    let command = command
        .arg(
            Arg::new("PAYLOAD")
                .help("The payload as a JSON object, `-` to read it from stdin, or `@FILE`")
                .value_parser(value_parser!(OsString)),
        )
        .args(kind.members().iter().map(member_flag))
        .args(sending_flags())
        .after_help(format!("{}\n\n{EXIT_CODES}", crate::example::help(kind)));
    if kind == Kind::InfoRequest { command.arg(wait_flag()) } else { command }
}

/// The flags that every type has, before or behind its name.
fn sending_flags() -> [Arg; 4] {
    let mailbox =
        PossibleValuesParser::new(Mailbox::ALL.map(Mailbox::name)).try_map(|name| name.parse::<Mailbox>());
    [
        Arg::new("id")
            .long("id")
            .value_name("ID")
            .help("The message's id: a second send with the same id stores nothing")
            .value_parser(value_parser!(MessageId)),
        Arg::new("mailbox")
            .long("mailbox")
            .value_name("NAME")
            .help("The mailbox to send to; a host says `inbox` [default: outbox]")
            .value_parser(mailbox),
        Arg::new("dir")
            .long("dir")
            .value_name("DIR")
            .help("The message folder [default: $CAGE_DIR, else ~/.cage]")
            .value_parser(value_parser!(PathBuf))
            .value_hint(ValueHint::DirPath),
        Arg::new("json").long("json").help("Print the message that was sent").action(ArgAction::SetTrue),
    ]
    .map(|flag| flag.help_heading("Sending"))
}

/// Makes a sentence of the rest of one.
fn sentence(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + rest
}

fn member_flag(member: &'static Member) -> Arg {
    let must = if member.required { "required" } else { "optional" };
    let arg = Arg::new(member.name)
        .long(member.name.replace('_', "-"))
        .alias(member.name)
        .help(format!("{} [{must}]", sentence(member.about)))
        .help_heading("Members of the payload")
        .allow_hyphen_values(true)
        .value_parser(value_parser!(String));
    match member.shape {
        Shape::Text => arg.value_name("TEXT"),
        Shape::Boolean => arg.value_name("true|false").num_args(0..=1).default_missing_value("true"),
        Shape::Integer | Shape::Number => arg.value_name("NUMBER"),
        Shape::TextList => arg.value_name("TEXT").action(ArgAction::Append),
        Shape::FileList => arg.value_name("FILE").action(ArgAction::Append).value_hint(ValueHint::FilePath),
    }
}

fn wait_flag() -> Arg {
    Arg::new("wait")
        .long("wait")
        .value_name("SECONDS")
        .help("Wait for the info_response and print it [default: 7200 seconds]")
        .num_args(0..=1)
        .default_missing_value(WAIT_SECONDS)
        .value_parser(value_parser!(u64).range(0..=ASKED_TIME_MAX.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn takes_each_member_by_its_own_name_and_with_hyphens() {
        for flag in ["--exit-code", "--exit_code"] {
            let request = parse(["cage-send", "task_complete", flag, "0"].map(OsString::from)).unwrap();
            assert_eq!(request.flags[0].values, ["0"]);
        }
    }

    #[test]
    fn takes_the_sending_flags_before_and_behind_the_type() {
        for args in [["--mailbox=inbox", "ack", "-"], ["ack", "-", "--mailbox=inbox"]] {
            let request = parse(["cage-send"].iter().chain(&args).map(OsString::from)).unwrap();
            assert_eq!(request.mailbox, Mailbox::Inbox);
        }
    }

    #[test]
    fn takes_a_text_that_begins_with_a_hyphen() {
        let request =
            parse(["cage-send", "progress_update", "--status", "- one"].map(OsString::from)).unwrap();
        assert_eq!(request.flags[0].values, ["- one"]);
    }

    #[test]
    fn rejects_a_type_it_does_not_know() {
        let error = parse(["cage-send", "progres_update"].map(OsString::from)).unwrap_err().to_string();
        assert!(error.contains("progress_update"), "{error}");
    }
}
