//! The carriers as a user interface needs them.

use super::{Error, NumberService, Searcher};
use crate::{
    carriers::{self, CARRIERS, Descriptor},
    domain::{Actor, State, creation_states},
};

/// The longest prefix when no carrier says otherwise, in digits.
const LONGEST_PREFIX: u8 = 15;

/// The carriers as a user interface needs them.
#[derive(Clone, Debug)]
pub struct CarriersInfo {
    /// The longest prefix that every searched carrier understands, in digits.
    pub maximal_prefix_length: u8,
    /// The carriers that a number can be given, without `knm_`.
    pub usable_carriers: Vec<String>,
    /// The states in which the caller may create numbers.
    pub usable_creation_states: &'static [State],
}

impl NumberService {
    /// The carriers as a user interface needs them.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] and its like.
    pub async fn carriers_info(
        &self,
        actor: &Actor,
        searcher: &Searcher,
    ) -> Result<CarriersInfo, Error> {
        let settings = self.settings.get().await?;
        let asked = self.searched_carriers(&settings, searcher).await?;
        let known = asked.iter().filter_map(carriers::find);
        let longest = known.map(|carrier| carrier.longest_prefix).min();
        let bare = |carrier: &Descriptor| carrier.name.trim_start_matches("knm_").to_owned();
        Ok(CarriersInfo {
            maximal_prefix_length: longest.unwrap_or(LONGEST_PREFIX),
            usable_carriers: CARRIERS.iter().filter(|it| it.is_usable).map(bare).collect(),
            usable_creation_states: creation_states(actor),
        })
    }
}
