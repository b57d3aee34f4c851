//! Whom to trust.

use super::endpoint::Endpoint;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How long a TCP connection may take to be made.
const CONNECT_WAIT: Duration = Duration::from_secs(10);

/// Makes connections to one endpoint.
pub(crate) fn connector(endpoint: &Endpoint) -> Result<HttpsConnector<HttpConnector>, String> {
    let mut tcp = HttpConnector::new();
    // Small messages in both directions: waiting to fill a segment costs 40 ms each.
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_WAIT));
    tcp.enforce_http(false);
    let secure = endpoint.url.scheme_str() == Some("https");
    let roots = if secure { roots(endpoint.ca_file.as_deref())? } else { RootCertStore::empty() };
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(config);
    // Not `https_or_http`: an https address stays one whatever happens later.
    Ok(if secure {
        builder.https_only().enable_http1().wrap_connector(tcp)
    } else {
        builder.https_or_http().enable_http1().wrap_connector(tcp)
    })
}

fn roots(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    // A system store with one unreadable certificate is still a store.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = ca_file {
        let unreadable =
            |error: &dyn std::fmt::Display| format!("cannot use certificates in `{}`: {error}", file.display());
        let mut found = false;
        for certificate in CertificateDer::pem_file_iter(file).map_err(|error| unreadable(&error))? {
            roots.add(certificate.map_err(|error| unreadable(&error))?).map_err(|error| unreadable(&error))?;
            found = true;
        }
        if !found {
            return Err(unreadable(&"it holds none"));
        }
    }
    if roots.is_empty() { Err("no certificate authority is trusted".to_owned()) } else { Ok(roots) }
}
