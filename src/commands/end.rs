//! How an action of the command line ended.

use crate::action::plan::Refusal;

/// How it ended.
#[derive(Debug, PartialEq, Eq)]
pub enum End {
    Done,
    Failed,
    Usage(String),
    Refused(String),
    ReadOnly(String),
    /// It is not known whether the thing is there.
    CannotSee(String),
}

impl End {
    /// Why nothing was done, with a word for programs.
    #[must_use]
    pub fn why(&self) -> Option<(&'static str, &str)> {
        match self {
            Self::Done | Self::Failed => None,
            Self::CannotSee(why) => Some(("cannot-see", why)),
            Self::Usage(why) => Some(("usage", why)),
            Self::Refused(why) => Some(("refused", why)),
            Self::ReadOnly(why) => Some(("read-only", why)),
        }
    }

    /// The process's exit code.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed | Self::CannotSee(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 4,
            Self::ReadOnly(_) => 5,
        }
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        let why = refusal.why.to_string();
        if refusal.read_only { Self::ReadOnly(why) } else { Self::Refused(why) }
    }
}
