//! The cage itself.

use super::name::CageName;
use super::place::Place;
use crate::error::Result;
use crate::transfer::Arrival;

/// A cage that exists. Dropping the handle leaves it running; [`Cage::destroy`] ends it.
#[derive(Debug)]
pub struct Cage {
    place: Place,
    arrival: Arrival,
}

impl Cage {
    pub(crate) fn new(place: Place, arrival: Arrival) -> Self {
        Self { place, arrival }
    }

    /// Returns the cage's name.
    pub fn name(&self) -> &CageName {
        &self.place.name
    }

    /// Returns what was sent in when this handle created the cage; all zeros on a handle to one that was found.
    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// Removes the cage with everything in it. One that is gone already is no error.
    ///
    /// # Errors
    /// [`EngineError`](crate::EngineError) when the engine does not answer or refuses; the cage may then still exist.
    pub async fn destroy(self) -> Result<()> {
        self.place.remove().await
    }
}
