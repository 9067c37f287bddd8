//! `token`: print a token of our own, and change the key that signs them.

use anyhow::Context;
use clap::{Args, Subcommand};
use jiff::SignedDuration;
use uuid::Uuid;

use crate::{auth::Claims, config::Config, domain::AccountId};

use super::wire;

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct TokenArgs {
    #[command(subcommand)]
    command: Option<TokenCommand>,
    /// Make it the operator's.
    #[arg(long, required_unless_present = "account")]
    admin: bool,
    /// The account that it speaks for.
    #[arg(long, value_name = "ACCOUNT", conflicts_with = "admin")]
    account: Option<String>,
    /// What it may be used for: read, write, maintenance; everything when not said.
    #[arg(long, value_name = "SCOPES", value_delimiter = ',', value_parser = ["read", "write", "maintenance"])]
    scope: Vec<String>,
    /// For how long it is good, as `90s`, `15m`, `1h`, `2d`.
    #[arg(long, default_value = "1h", value_parser = parse_ttl)]
    ttl: SignedDuration,
}

#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a new key, which signs from now on; tokens of the others stay good.
    RotateKey {
        /// A key that is believed no more, and so none of its tokens.
        #[arg(long, value_name = "KID")]
        retire: Option<String>,
    },
}

/// Prints a token, or the names of the keys once they are changed.
pub(super) async fn run(config: &Config, args: TokenArgs) -> anyhow::Result<()> {
    match &args.command {
        Some(TokenCommand::RotateKey { retire }) => rotate(config, retire.as_deref()).await,
        None => mint(config, args).await,
    }
}

async fn rotate(config: &Config, retire: Option<&str>) -> anyhow::Result<()> {
    let keys = wire::authenticator(config, None).await?.rotate(retire).await?;
    for (place, key) in keys.iter().enumerate() {
        println!("{key} {}", if place == 0 { "signs" } else { "is believed" });
    }
    Ok(())
}

async fn mint(config: &Config, args: TokenArgs) -> anyhow::Result<()> {
    let account = args.account.as_deref().map(AccountId::parse_any).transpose();
    let account = account.context("--account")?;
    let authenticator = wire::authenticator(config, None).await?;
    let now = wire::clock().now().as_second();
    let scope = (!args.scope.is_empty()).then(|| args.scope.join(" ").into());
    let token = authenticator.mint(&Claims {
        account_id: account.map(|account| account.to_string()),
        admin: args.admin,
        scope,
        exp: now.saturating_add(args.ttl.as_secs()),
        nbf: None,
        iat: Some(now),
        jti: Some(Uuid::new_v4().simple().to_string()),
    })?;
    println!("{token}");
    Ok(())
}

fn parse_ttl(text: &str) -> Result<SignedDuration, String> {
    let at = text.len() - text.chars().last().map_or(0, char::len_utf8);
    let (count, unit) = text.split_at(at);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err("expected a number and one of s, m, h, d".to_owned()),
    };
    match count.parse::<u32>() {
        Ok(count) if count > 0 => Ok(SignedDuration::from_secs(i64::from(count) * unit)),
        _ => Err("expected a number of at least 1 in front of the unit".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        let check = |text: &str, seconds: i64| {
            assert_eq!(parse_ttl(text).unwrap().as_secs(), seconds, "{text}");
        };
        check("90s", 90);
        check("15m", 900);
        check("1h", 3600);
        check("2d", 172_800);
        for bad in ["", "h", "0h", "-1h", "1", "1é", "1.5h"] {
            assert!(parse_ttl(bad).is_err(), "{bad}");
        }
    }
}
