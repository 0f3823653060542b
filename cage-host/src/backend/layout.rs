//! Where things lie inside a cage.

/// The user that a container's programs run as.
pub(crate) const USER: &str = "trustycage";

/// The home folder in a container.
const CONTAINER_HOME: &str = "/home/trustycage";

/// The paths inside one cage, as its own programs see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Layout {
    home: String,
}

impl Layout {
    /// The layout of every container.
    pub(crate) fn container() -> Self {
        Self { home: CONTAINER_HOME.to_owned() }
    }

    /// The layout of a cage whose home is a folder of the host.
    pub(crate) fn at(home: String) -> Self {
        Self { home }
    }

    pub(crate) fn home(&self) -> &str {
        &self.home
    }

    pub(crate) fn project(&self) -> String {
        format!("{}/project", self.home)
    }

    /// Returns where an extra folder lies; `project` is the place of the project itself.
    pub(crate) fn folder(&self, place: &str) -> String {
        format!("{}/{place}", self.home)
    }

    pub(crate) fn cage_dir(&self) -> String {
        format!("{}/.cage", self.home)
    }

    pub(crate) fn task_file(&self) -> String {
        format!("{}/.cage/task.md", self.home)
    }
}
