//! Writes the manual pages and the completions of bash, zsh and fish, laid out as below `/usr/share`: manual FOLDER

use std::path::PathBuf;
use std::{env, fs, io};

use clap_complete::{Shell, generate_to};

/// Where each shell on Debian looks for the completions of installed programs.
const COMPLETIONS: [(Shell, &str); 3] = [
    (Shell::Bash, "bash-completion/completions"),
    (Shell::Zsh, "zsh/vendor-completions"),
    (Shell::Fish, "fish/vendor_completions.d"),
];

fn main() -> io::Result<()> {
    let share = env::args_os().nth(1).map(PathBuf::from);
    let share = share.ok_or_else(|| io::Error::other("name the folder to write to"))?;
    let mut command = cage_send::command();
    for (shell, folder) in COMPLETIONS {
        let folder = share.join(folder);
        fs::create_dir_all(&folder)?;
        generate_to(shell, &mut command, "cage-send", folder)?;
    }
    let pages = share.join("man/man1");
    fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(command, pages)
}
