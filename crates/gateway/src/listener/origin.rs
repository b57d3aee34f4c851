//! Whether a request was meant for us.
//!
//! A page in a browser on this machine can send requests to a loopback port, and by re-binding its own name to
//! 127.0.0.1 it can even read the answers. Its requests carry its name in `Host` and `Origin`.

use super::settings::Settings;
use http::header::{HOST, HeaderName, ORIGIN};
use http::request::Parts;
use http::uri::Authority;

/// The names under which this machine, and nobody else, is reached.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// Whether host and origin of a request are acceptable: exactly one good `Host`, at most one `Origin` and that one good.
pub(super) fn meant_for_us(head: &Parts, settings: &Settings) -> bool {
    let Ok(Some(host)) = single(head, &HOST) else {
        return false;
    };
    // An absolute request target overrides `Host`, so it has to be as good.
    let target = head.uri.authority().is_none_or(|authority| good_host(authority.as_str(), settings));
    let origin = match single(head, &ORIGIN) {
        Ok(None) => true,
        Ok(Some(origin)) => good_origin(origin, settings),
        Err(()) => false,
    };
    target && good_host(host, settings) && origin
}

fn single<'a>(head: &'a Parts, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = head.headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(drop),
        _ => Err(()),
    }
}

fn good_host(host: &str, settings: &Settings) -> bool {
    let good = |name: &str| {
        let is = |good: &String| good.eq_ignore_ascii_case(host) || good.eq_ignore_ascii_case(name);
        is_loopback(name) || settings.allowed_hosts.iter().any(is)
    };
    match plain_name(host) {
        Some(name) => good(name),
        None => host_name(host).is_some_and(|name| good(&name)),
    }
}

fn good_origin(origin: &str, settings: &Settings) -> bool {
    if settings.allowed_origins.iter().any(|good| good.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.is_some_and(|host| match plain_name(host) {
        Some(name) => is_loopback(name),
        None => host_name(host).is_some_and(|name| is_loopback(&name)),
    })
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK.iter().any(|good| good.eq_ignore_ascii_case(name))
}

/// The name in `name[:port]` where that can be seen at a glance, as in nearly every request: letters, digits, dots and
/// hyphens, then a port as it is usually written. What it finds, [`host_name`] would find; `None` says nothing.
fn plain_name(host: &str) -> Option<&str> {
    let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
    let plain =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'));
    let usual = |port: &str| {
        !port.starts_with('0') && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok()
    };
    (plain && port.is_none_or(usual)).then_some(name)
}

/// The name in `name[:port]`, if that is all there is.
fn host_name(host: &str) -> Option<String> {
    let authority: Authority = host.parse().ok()?;
    let name = authority.host();
    // What is neither name nor port: user information, or a port that is no number.
    let expected = authority.port_u16().map_or_else(|| name.to_owned(), |port| format!("{name}:{port}"));
    (authority.as_str() == expected).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_glance_sees_what_the_parser_reads(host in "(localhost|[a-zA-Z0-9.:@_%/-]{0,12})(:[0-9x]{0,6})?") {
            if let Some(name) = plain_name(&host) {
                prop_assert_eq!(host_name(&host), Some(name.to_owned()));
            }
        }
    }

    #[test]
    fn the_glance_is_enough_for_usual_hosts() {
        for (host, name) in
            [("localhost:7410", "localhost"), ("127.0.0.1:65535", "127.0.0.1"), ("a-b.example", "a-b.example")]
        {
            assert_eq!(plain_name(host), Some(name));
        }
        for host in ["", ":1", "localhost:", "localhost:0", "localhost:01", "localhost:65536", "a@localhost", "[::1]:1"]
        {
            assert_eq!(plain_name(host), None, "{host}");
        }
    }

    fn settings() -> Settings {
        Settings {
            allowed_hosts: vec!["gateway.example".into(), "other.example:8080".into()],
            allowed_origins: vec!["https://console.example".into()],
            ..Settings::default()
        }
    }

    fn allowed(host: &[&str], origin: &[&str]) -> bool {
        let mut request = http::Request::builder().uri("/mcp");
        for host in host {
            request = request.header(HOST, *host);
        }
        for origin in origin {
            request = request.header(ORIGIN, *origin);
        }
        meant_for_us(&request.body(()).unwrap().into_parts().0, &settings())
    }

    #[test]
    fn hosts() {
        for host in [
            "localhost",
            "LOCALHOST:1",
            "127.0.0.1:7410",
            "[::1]:7410",
            "[::1]",
            "gateway.example:9",
            "Other.example:8080",
        ] {
            assert!(allowed(&[host], &[]), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:7410",
            "localhost.evil.example",
            "localhost.",
            "127.0.0.1.nip.example",
            "localhost@evil.example",
            "evil@localhost",
            "other.example:9",
            "127.0.0.2",
            "localhost:x",
            "localhost:99999",
        ] {
            assert!(!allowed(&[host], &[]), "{host}");
        }
        assert!(!allowed(&[], &[]));
        assert!(!allowed(&["localhost", "localhost"], &[]));
    }

    #[test]
    fn origins() {
        for origin in ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:5", "https://console.example"] {
            assert!(allowed(&["localhost"], &[origin]), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://evil.example",
            "http://console.example",
            "https://console.example.evil.example",
            "http://localhost.evil.example",
            "file://localhost",
            "http://localhost/x",
            "http://a@localhost",
        ] {
            assert!(!allowed(&["localhost"], &[origin]), "{origin}");
        }
        assert!(!allowed(&["localhost"], &["http://localhost", "http://evil.example"]));
    }

    #[test]
    fn an_absolute_target_does_not_get_past() {
        let request =
            http::Request::builder().uri("http://evil.example/mcp").header(HOST, "localhost").body(()).unwrap();
        assert!(!meant_for_us(&request.into_parts().0, &settings()));
    }
}
