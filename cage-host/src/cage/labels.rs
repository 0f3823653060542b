//! The labels by which everything of ours is found again in the engine.

/// Marks a container or image as ours; the value is `true`.
pub(crate) const MANAGED: &str = "dev.cage.managed";

/// The cage's name.
pub(crate) const NAME: &str = "dev.cage.name";

/// The version of this library that made it.
pub(crate) const VERSION: &str = "dev.cage.version";

/// Unique for each creation, so that a container whose creation was never answered can be told from all others.
pub(crate) const CREATION: &str = "dev.cage.creation";

/// The program that creates it, so that a creation which was never finished can be told from one under way.
pub(crate) const CREATOR: &str = "dev.cage.creator";

/// How the agent is to sign in, where that was said.
pub(crate) const AUTH_MODE: &str = "dev.cage.auth-mode";

/// On an image, and on the container that it is made of: that it is a [`SNAPSHOT_ROLE`]. On a volume: what it notes
/// about an extra folder.
pub(crate) const ROLE: &str = "dev.cage.role";

/// The role of an image that is a snapshot of a cage.
pub(crate) const SNAPSHOT_ROLE: &str = "snapshot";

/// Beside that role: the settings of the cage that it was made of, as JSON.
pub(crate) const ORIGIN: &str = "dev.cage.origin";

/// On a copy: when the first of the cages that it was copied from was created, in seconds since 1970.
pub(crate) const WRITTEN_SINCE: &str = "dev.cage.written-since";

/// When the project was copied from a folder of the host, by the host's clock, in nanoseconds since 1970; a copy has it
/// from the cage that it was made of. Always there: an image's own would be believed.
pub(crate) const HOST_SINCE: &str = "dev.cage.host-since";

/// Which folder that was; empty where there was none, and like the time of it always there.
pub(crate) const PROJECT_DIR: &str = "dev.cage.project-dir";

/// On a container that another cage is copied into: the container that is paused meanwhile.
pub(crate) const PAUSES: &str = "dev.cage.pauses";

/// The extra folders that a container was created with, as JSON. Always there: an image's own would be believed.
pub(crate) const FOLDERS: &str = "dev.cage.folders";

/// On a note about an extra folder: the id of its container.
pub(crate) const CAGE: &str = "dev.cage.cage";

/// On a note about an extra folder: its place in the home.
pub(crate) const FOLDER: &str = "dev.cage.folder";

/// On a note about an extra folder: the folder of the host that it was copied from.
pub(crate) const FOLDER_DIR: &str = "dev.cage.folder-dir";

/// What every label of ours begins with; callers' own labels may not.
pub(crate) const PREFIX: &str = "dev.cage.";
