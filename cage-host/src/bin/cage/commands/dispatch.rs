//! From a command to what does it.

use super::{
    add_dir, answer, auth, branch, copies, create, destroy, diagnose, diff, doctor, export, gc, generate,
    image, inbox, init, interactive, launch, list, logs, outbox, patch, remove_dir, report, run, salvage,
    stop, sync, watch,
};
use crate::args::Command;
use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;

/// Runs a command.
pub(crate) async fn dispatch(command: Command, context: &Context) -> Result<Exit, Failure> {
    match command {
        Command::Doctor(args) => doctor::run(&args, context).await,
        Command::Logs(args) => logs::run(&args, context).await,
        Command::Diagnose(args) => diagnose::run(&args, context).await,
        Command::Init(args) => init::run(&args, context).await,
        Command::Create(args) => create::run(args, context).await,
        Command::Exists(args) => list::exists(&args, context).await,
        Command::List(args) => list::run(&args, context).await,
        Command::Launch(args) => launch::run(args, context).await,
        Command::Attach(args) => interactive::attach(&args, context).await,
        Command::Prompt(args) => interactive::prompt(&args, context).await,
        Command::Outbox(args) => outbox::run(&args, context).await,
        Command::Inbox(args) => inbox::run(&args, context).await,
        Command::Answer(args) => answer::run(&args, context).await,
        Command::Branch(args) => branch::run(&args, context).await,
        Command::Patch(args) => patch::run(&args, context).await,
        Command::Diff(args) => diff::run(&args, context).await,
        Command::Export(args) => export::run(&args, context).await,
        Command::Watch(args) => watch::run(&args, context).await,
        Command::Report(args) => report::run(&args, context).await,
        Command::Sync(args) => sync::run(&args, context).await,
        Command::AddDir(args) => add_dir::run(&args, context).await,
        Command::RemoveDir(args) => remove_dir::run(&args, context).await,
        Command::Tidy(args) => sync::tidy(&args, context).await,
        Command::Snapshot(args) => copies::snapshot(&args, context).await,
        Command::Snapshots(args) => copies::snapshots(&args, context).await,
        Command::Fork(args) => copies::fork(&args, context).await,
        Command::Stop(args) => stop::stop(&args, context).await,
        Command::Start(args) => stop::start(&args, context).await,
        Command::Salvage(args) => salvage::run(&args, context).await,
        Command::Auth(args) => auth::run(&args, context).await,
        Command::Destroy(args) => destroy::run(&args, context).await,
        Command::BuildImage(args) => image::run(args, context).await,
        Command::Run(args) => run::run(&args, context).await,
        Command::Gc(args) => gc::run(&args, context).await,
        Command::Completions(args) => generate::completions(&args),
        Command::Man(args) => generate::man(&args, context),
    }
}
