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
    let Some(name) = host_name(host) else { return false };
    is_loopback(&name)
        || settings.allowed_hosts.iter().any(|good| good.eq_ignore_ascii_case(host) || good.eq_ignore_ascii_case(&name))
}

fn good_origin(origin: &str, settings: &Settings) -> bool {
    if settings.allowed_origins.iter().any(|good| good.eq_ignore_ascii_case(origin)) {
        return true;
    }
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    host.and_then(host_name).is_some_and(|name| is_loopback(&name))
}

fn is_loopback(name: &str) -> bool {
    LOOPBACK.iter().any(|good| good.eq_ignore_ascii_case(name))
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
