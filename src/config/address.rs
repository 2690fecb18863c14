//! Addresses of servers. An address never holds a secret: one that does is refused, without being repeated. So whatever
//! prints an address prints no secret.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use reqwest::Url;

use crate::model::text::is_hidden;

/// The port of a control plane where none is written.
const CONTROL_PORT: u16 = 9847;

/// Where a server is: scheme, host, port and path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// As it is shown and asked for; without a slash at its end.
    text: String,
    url: Url,
}

/// Why a text is no address. It repeats nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("it cannot be read as an address")]
    Unreadable,
    #[error("it names no host")]
    NoHost,
    #[error("its scheme is not one of http, https and libsql")]
    Scheme,
    #[error("it holds a user or a password")]
    User,
    #[error("it holds a query or a fragment, which may be a token")]
    Query,
    #[error("it holds blanks or invisible characters")]
    Blanks,
    #[error("an IPv6 address before a port stands in brackets, as in [::1]:9847")]
    Brackets,
}

/// Whether a text is meant as an address of a server and not as a path.
#[must_use]
pub fn is_meant(text: &str) -> bool {
    text.contains("://")
}

/// Whether a text that should be a path looks as if it held a token.
#[must_use]
pub fn holds_token(text: &str) -> bool {
    let low = text.to_ascii_lowercase();
    ["token=", "jwt=", "password=", "secret="].iter().any(|word| low.contains(word))
}

impl Address {
    /// The address of a database: `libsql://`, `https://` or `http://`.
    pub fn of_database(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = split(text)?;
        let scheme = match scheme.ok_or(AddressError::Scheme)?.to_ascii_lowercase().as_str() {
            "libsql" => "libsql",
            "https" => "https",
            "http" => "http",
            _ => return Err(AddressError::Scheme),
        };
        // `libsql://` stands for `https://`, and is shown as it was written.
        let url = parse(if scheme == "http" { "http" } else { "https" }, rest)?;
        let text = url.as_str().trim_end_matches('/');
        let text = text.split_once("://").map_or(text, |(_, rest)| rest);
        Ok(Self { text: format!("{scheme}://{text}"), url })
    }

    /// The address of a control plane: the scheme is `http` and the port 9847 unless they are written. A bind-all host
    /// is where a server listens, not where it is.
    pub fn of_control(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = split(text)?;
        let written = scheme.map(str::to_ascii_lowercase);
        let scheme = match written.as_deref() {
            None | Some("http") => "http",
            Some("https") => "https",
            Some(_) => return Err(AddressError::Scheme),
        };
        let host = match rest.parse::<Ipv6Addr>() {
            Ok(_) if ends_like_a_port(rest) => return Err(AddressError::Brackets),
            Ok(ip) => format!("[{ip}]"),
            Err(_) => rest.to_owned(),
        };
        let host = host.strip_prefix('*').map_or(host.clone(), |rest| format!("127.0.0.1{rest}"));
        let mut url = parse(scheme, &host)?;
        let here = match url.host_str() {
            Some("0.0.0.0") => Some("127.0.0.1"),
            Some("[::]") => Some("[::1]"),
            _ => None,
        };
        if let Some(here) = here {
            url.set_host(Some(here)).map_err(|_| AddressError::Unreadable)?;
        }
        // A port that is the scheme's own is left out by the parser: what was written decides.
        let port = match (port_of(&host)?, scheme) {
            (Some(port), _) => port,
            (None, "https") => 443,
            (None, _) => CONTROL_PORT,
        };
        let host = url.host_str().ok_or(AddressError::NoHost)?.to_owned();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_port(Some(port)).map_err(|()| AddressError::Unreadable)?;
        Ok(Self { text: format!("{scheme}://{host}:{port}{path}"), url })
    }

    /// The address of a server that is reached by HTTP: `https://`, or `http://`, which may be left out.
    pub fn of_server(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = split(text)?;
        let scheme = match scheme.map(str::to_ascii_lowercase).as_deref() {
            None | Some("http") => "http",
            Some("https") => "https",
            Some(_) => return Err(AddressError::Scheme),
        };
        let url = parse(scheme, rest)?;
        Ok(Self { text: url.as_str().trim_end_matches('/').to_owned(), url })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The same without its scheme: a name for people.
    #[must_use]
    pub fn name(&self) -> &str {
        self.text.split_once("://").map_or(&self.text, |(_, rest)| rest)
    }

    /// Whether what is sent there is encrypted.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether it is this machine: a loopback address, or the name that stands for it.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host.parse::<IpAddr>().map_or(host == "localhost", |ip| match ip {
            IpAddr::V4(ip) => ip.is_loopback(),
            IpAddr::V6(ip) => ip.is_loopback() || ip.to_ipv4_mapped().is_some_and(|ip| ip.is_loopback()),
        })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Scheme and rest. The URL parser drops blanks in silence, so they are looked for here.
fn split(text: &str) -> Result<(Option<&str>, &str), AddressError> {
    let text = text.trim();
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || is_hidden(c)) {
        return Err(AddressError::Blanks);
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text),
    };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(AddressError::User);
    }
    if rest.contains(['?', '#']) || holds_token(rest) {
        return Err(AddressError::Query);
    }
    if authority.is_empty() { Err(AddressError::NoHost) } else { Ok((scheme, rest)) }
}

fn parse(scheme: &str, rest: &str) -> Result<Url, AddressError> {
    let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| AddressError::Unreadable)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::User);
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(AddressError::Query);
    }
    if url.host_str().is_none_or(str::is_empty) { Err(AddressError::NoHost) } else { Ok(url) }
}

/// The port that is written behind a host, if one is.
fn port_of(rest: &str) -> Result<Option<u16>, AddressError> {
    let authority = rest.split('/').next().unwrap_or_default();
    let after_host = authority.rsplit_once(']').map_or(authority, |(_, after)| after);
    match after_host.rsplit_once(':') {
        Some((_, port)) if !port.is_empty() => port.parse().map(Some).map_err(|_| AddressError::Unreadable),
        _ => Ok(None),
    }
}

/// `::1:9847` is an IPv6 address, and was not meant as one.
fn ends_like_a_port(address: &str) -> bool {
    address.rsplit(':').next().is_some_and(|end| end.len() >= 4 && end.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case("mesh.example", Ok("http://mesh.example:9847"))]
    #[case("0.0.0.0:9000", Ok("http://127.0.0.1:9000"))]
    #[case("*:9000", Ok("http://127.0.0.1:9000"))]
    #[case("[::1]:9847", Ok("http://[::1]:9847"))]
    #[case("[::]:9847", Ok("http://[::1]:9847"))]
    #[case("::1", Ok("http://[::1]:9847"))]
    #[case("::1:9847", Err(AddressError::Brackets))]
    #[case("https://mesh.example/", Ok("https://mesh.example:443"))]
    #[case("HTTP://mesh.example:80/x/", Ok("http://mesh.example:80/x"))]
    #[case(" http://mesh.example:1\n", Ok("http://mesh.example:1"))]
    #[case("http://mesh.exam\u{200b}ple", Err(AddressError::Blanks))]
    #[case("http://mesh .example", Err(AddressError::Blanks))]
    #[case("ftp://x", Err(AddressError::Scheme))]
    #[case("http://u:p@x", Err(AddressError::User))]
    #[case("u:p@x:1", Err(AddressError::User))]
    #[case("http://x?jwt=S", Err(AddressError::Query))]
    #[case("http://x/a#S", Err(AddressError::Query))]
    #[case("http://x:99999", Err(AddressError::Unreadable))]
    #[case("http://x:9a", Err(AddressError::Unreadable))]
    #[case("", Err(AddressError::NoHost))]
    #[case("http:///x", Err(AddressError::NoHost))]
    fn control_planes(#[case] text: &str, #[case] expected: Result<&str, AddressError>) {
        let found = Address::of_control(text);
        assert_eq!(found.as_ref().map(Address::as_str), expected.as_ref().copied());
    }

    #[rstest::rstest]
    #[case("libsql://Mesh.example/", Ok("libsql://mesh.example"))]
    #[case("HTTPS://mesh.example:8443/ns", Ok("https://mesh.example:8443/ns"))]
    #[case("http://127.0.0.1:8080", Ok("http://127.0.0.1:8080"))]
    #[case("wss://h?authToken=S", Err(AddressError::Query))]
    #[case("wss://h", Err(AddressError::Scheme))]
    #[case("libsql://h/?jwt=S", Err(AddressError::Query))]
    #[case("libsql://h/authToken=S", Err(AddressError::Query))]
    fn databases(#[case] text: &str, #[case] expected: Result<&str, AddressError>) {
        let found = Address::of_database(text);
        assert_eq!(found.as_ref().map(Address::as_str), expected.as_ref().copied());
    }

    #[rstest::rstest]
    #[case("localhost", true)]
    #[case("127.4.5.6:1", true)]
    #[case("[::1]:1", true)]
    #[case("[::ffff:127.0.0.1]:1", true)]
    #[case("localhost.evil", false)]
    #[case("127.0.0.1.evil", false)]
    #[case("10.0.0.1", false)]
    fn this_machine_is_known_by_its_address(#[case] text: &str, #[case] near: bool) {
        assert_eq!(Address::of_control(text).unwrap().is_loopback(), near);
    }
}
