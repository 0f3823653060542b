//! How the agent of a cage is to sign in, kept with the cage.

use std::fmt;
use std::str::FromStr;

use crate::error::RequestError;
use crate::sanitize::sanitize;

/// Which kind of [`Credential`](crate::Credential) the agent of a cage is to sign in with. It is no credential itself.
///
/// ```
/// use cage_host::AuthMode;
///
/// assert_eq!("oauth_token".parse(), Ok(AuthMode::OauthToken));
/// assert_eq!(AuthMode::Gateway.to_string(), "gateway");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum AuthMode {
    /// An API key: [`Credential::api_key`](crate::Credential::api_key).
    ApiKey,
    /// A long-lived OAuth token: [`Credential::oauth_token`](crate::Credential::oauth_token).
    OauthToken,
    /// A subscription's file: [`Credential::subscription`](crate::Credential::subscription).
    Subscription,
    /// A gateway that adds the credential: [`Credential::gateway`](crate::Credential::gateway).
    Gateway,
}

impl AuthMode {
    const ALL: [Self; 4] = [Self::ApiKey, Self::OauthToken, Self::Subscription, Self::Gateway];

    /// Returns its name as it is in labels and on command lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "api_key",
            Self::OauthToken => "oauth_token",
            Self::Subscription => "subscription",
            Self::Gateway => "gateway",
        }
    }
}

impl fmt::Display for AuthMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for AuthMode {
    type Err = RequestError;

    fn from_str(text: &str) -> Result<Self, RequestError> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text).ok_or_else(|| {
            let reason = format!(
                "`{}` is none of api_key, oauth_token, subscription and gateway",
                sanitize(&text.chars().take(MAX_SHOWN).collect::<String>())
            );
            RequestError::Invalid { what: "auth mode", reason }
        })
    }
}

/// Characters shown of text that is no mode.
const MAX_SHOWN: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_each_mode_by_its_name_and_rejects_all_else() {
        for mode in AuthMode::ALL {
            assert_eq!(mode.as_str().parse(), Ok(mode));
        }
        let error = "API_KEY\u{1b}".parse::<AuthMode>().unwrap_err();
        insta::assert_snapshot!(error, @r"invalid auth mode: `API_KEY\u{1b}` is none of api_key, oauth_token, subscription and gateway");
    }
}
