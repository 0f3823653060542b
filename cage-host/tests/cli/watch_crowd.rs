//! The dashboard with many real cages, at 80×24: scrolled, read, and photographed.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use cage_host::{Agent, Cage, CageSpec, Host, Network, Task};
use futures_util::StreamExt as _;
use futures_util::stream;

use crate::desk::{Desk, program};
use crate::photograph::Photograph;
use crate::support::image;
use crate::terminal::Terminal;

/// Cages unless `CAGE_CROWD` asks for another number: more than the screen has lines.
const CAGES: usize = 25;

/// Cages that are made at the same time.
const AT_ONCE: usize = 4;

/// What all of their names begin with in the picture; theirs is as long and has the number of this process in it.
const SHOWN_PREFIX: &str = "project-";

/// Cages that do different things; each runs to its end.
const STORIES: [Story; 5] = [
    Story::Agent("cage-send progress_update --status 'reading the parser'; exec sleep 3600"),
    Story::Agent("cage-send info_request --request-id r1 --description 'Which colour?' --wait 3600"),
    Story::Agent("cage-send task_complete --summary 'added the flag' --exit-code 0"),
    Story::Stopped,
    Story::Nothing,
];

#[derive(Clone, Copy)]
enum Story {
    Agent(&'static str),
    Stopped,
    Nothing,
}

/// Many cages, which are removed with this.
struct Crowd {
    prefix: String,
    cages: usize,
}

impl Crowd {
    async fn gather(cages: usize) -> Self {
        let crowd = Self { prefix: format!("w{:07}", std::process::id()), cages };
        let host = Host::connect().await.unwrap();
        let lives = (0..cages).map(|number| live(&host, crowd.name(number), STORIES[number % STORIES.len()]));
        stream::iter(lives).buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
        crowd
    }

    fn name(&self, number: usize) -> String {
        format!("{}{number:03}", self.prefix)
    }

    fn names(&self) -> BTreeSet<String> {
        (0..self.cages).map(|number| self.name(number)).collect()
    }

    /// The names on a screen.
    fn on(&self, screen: &str) -> BTreeSet<String> {
        let names = screen.lines().filter_map(|line| line.split(' ').next());
        names.filter(|name| name.starts_with(&self.prefix)).map(str::to_owned).collect()
    }

    /// Says whether each line has all that it will have, also the size, which takes its time.
    fn is_settled_on(&self, screen: &str) -> bool {
        let mut lines = screen.lines().filter(|line| line.starts_with(&self.prefix));
        lines.all(|line| line.ends_with('B') && !line.contains(" starting "))
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let containers = self.names().into_iter().map(|name| format!("isolated-dev-{name}"));
        let _ = Command::new("docker").args(["rm", "--force", "--volumes"]).args(containers).output();
    }
}

async fn live(host: &Host, name: String, story: Story) {
    let spec = CageSpec::empty(&name).image(image()).network(Network::None);
    let cage: Cage = host.create(spec.memory_bytes(64 << 20)).await.unwrap();
    match story {
        Story::Agent(script) => {
            let agent = Agent::Command(["sh", "-c", script].map(str::to_owned).to_vec());
            cage.launch(Task::new("work").agent(agent)).await.unwrap();
        }
        Story::Stopped => cage.stop(Duration::ZERO).await.unwrap(),
        Story::Nothing => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn shows_many_cages_on_a_small_screen() {
    let Some(desk) = Desk::with_engine("crowd") else { return };
    let cages = std::env::var("CAGE_CROWD").map_or(CAGES, |cages| cages.parse().unwrap());
    let crowd = Crowd::gather(cages).await;
    let terminal = Terminal::run(&desk, &format!("{} watch {}", program().display(), crowd.prefix));
    let working = cages.div_ceil(STORIES.len());
    let title = format!("cage watch: {cages} cages, {working} at work");
    terminal.until(|screen| screen.starts_with(&title));

    // Every cage can be come by, down to the last one.
    let mut seen = crowd.on(&terminal.screen());
    let last = crowd.name(cages - 1);
    terminal.press("End");
    let end = terminal.until(|screen| screen.contains(&last));
    assert!(!end.contains(&crowd.name(0)), "{end}");
    while seen != crowd.names() {
        seen.extend(crowd.on(&terminal.screen()));
        terminal.press("PageUp");
    }
    terminal.press("Home");
    terminal.until(|screen| screen.contains(&crowd.name(0)) && crowd.is_settled_on(screen));
    photograph(&terminal, &crowd);

    // A key is about the cage that is marked, also far down.
    terminal.press("End");
    terminal.press("s");
    terminal.until(|screen| screen.contains(&format!("stop {last}? its files stay")));
    terminal.press("n");
    terminal.press("q");
}

/// Compares the picture of as many cages as usual.
fn photograph(terminal: &Terminal, crowd: &Crowd) {
    if crowd.cages == CAGES {
        let mut photograph = Photograph::read(&terminal.coloured_screen());
        photograph.replace(&crowd.prefix, SHOWN_PREFIX);
        photograph.mask("SILENT", "··s");
        photograph.mask("DISK", "······");
        photograph.is_kept_as("watch.svg");
    }
}
