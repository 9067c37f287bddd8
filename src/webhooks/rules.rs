//! Whom one may call: configured hosts, by addresses that are on the internet.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
};
use tokio::net::lookup_host;

use super::WebhooksConfig;

/// What is asked of addresses.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    hosts: Vec<String>,
    allow_http: bool,
    allow_private: bool,
}

/// Finds addresses of names, those that may be called only.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    allow_private: bool,
}

impl Rules {
    pub(super) fn of(config: &WebhooksConfig) -> Self {
        Self {
            hosts: config.allowed_hosts.iter().map(|host| host.to_ascii_lowercase()).collect(),
            allow_http: config.allow_http,
            allow_private: config.allow_private,
        }
    }

    pub(super) fn guard(&self) -> Guard {
        Guard { allow_private: self.allow_private }
    }

    /// The address that a text is, or what is wrong with it.
    pub(super) fn check(&self, text: &str) -> Result<Url, &'static str> {
        let url = Url::parse(text).map_err(|_| "is no URL")?;
        match url.scheme() {
            "https" => (),
            "http" if self.allow_http => (),
            _ => return Err("must begin with https://"),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err("must not carry credentials");
        }
        let host = url.host_str().ok_or("names no host")?.to_ascii_lowercase();
        if !self.hosts.iter().any(|allowed| is_within(&host, allowed)) {
            return Err("names a host that is not among webhooks.allowed_hosts");
        }
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        if literal.is_ok_and(|address| !self.allow_private && !is_public(address)) {
            return Err("names an address that is not on the internet");
        }
        Ok(url)
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found = lookup_host((name.as_str(), 0)).await?;
            let good: Vec<SocketAddr> =
                found.filter(|it| allow_private || is_public(it.ip())).collect();
            if good.is_empty() {
                let why = "the host has no address that may be called";
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, why).into());
            }
            Ok(Box::new(good.into_iter()) as Addrs)
        })
    }
}

fn is_within(host: &str, allowed: &str) -> bool {
    match allowed.strip_prefix("*.") {
        Some(above) => host.strip_suffix(above).is_some_and(|below| below.ends_with('.')),
        None => host == allowed,
    }
}

/// Whether an address is anybody's on the internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || a == 0
        || a >= 224
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 198 && (b == 18 || b == 19)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match segments {
        // Others' addresses in clothes of ours: mapped, translated, tunnelled.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            is_public_v4(embedded(high, low))
        }
        [0x2002, high, low, ..] => is_public_v4(embedded(high, low)),
        // Of the rest, only what is given to networks of the internet.
        [0x2001, 0 | 0xdb8, ..] => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(allow_private: bool) -> Rules {
        let allowed = ["hooks.example.com", "*.example.net", "127.0.0.1", "[::1]", "93.184.216.34"];
        let allowed_hosts = allowed.map(str::to_owned).to_vec();
        Rules::of(&WebhooksConfig { allowed_hosts, allow_private, ..WebhooksConfig::default() })
    }

    #[test]
    fn only_configured_hosts_are_called() {
        let host = "names a host that is not among webhooks.allowed_hosts";
        let address = "names an address that is not on the internet";
        for (url, wrong) in [
            ("https://hooks.example.com/x?y=1", None),
            ("https://HOOKS.example.com:8443/", None),
            ("https://a.b.example.net/", None),
            ("https://93.184.216.34/", None),
            ("https://example.net/", Some(host)),
            ("https://badexample.net/", Some(host)),
            ("https://hooks.example.com.evil.org/", Some(host)),
            ("https://evil.org/hooks.example.com", Some(host)),
            ("https://127.0.0.1/", Some(address)),
            ("https://[::1]/", Some(address)),
            ("https://2130706433/", Some(address)),
            ("http://hooks.example.com/", Some("must begin with https://")),
            ("file:///etc/passwd", Some("must begin with https://")),
            ("https://user:word@hooks.example.com/", Some("must not carry credentials")),
            ("hooks.example.com", Some("is no URL")),
        ] {
            assert_eq!(rules(false).check(url).err(), wrong, "{url}");
        }
        assert!(rules(true).check("https://127.0.0.1/").is_ok());
    }

    #[test]
    fn addresses_of_our_own_network_are_not_on_the_internet() {
        for (address, is) in [
            ("93.184.216.34", true),
            ("10.0.0.1", false),
            ("172.16.9.9", false),
            ("192.168.1.1", false),
            ("127.8.8.8", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("100.63.0.1", true),
            ("0.0.0.0", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("2606:2800:220:1::1", true),
            ("::1", false),
            ("::", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:93.184.216.34", true),
            ("64:ff9b::a00:1", false),
            ("2002:a00:1::", false),
        ] {
            assert_eq!(is_public(address.parse().unwrap()), is, "{address}");
        }
    }
}
