//! Who asks and about what, checked in the order of the wire: account, rate, token, right, kind of
//! body. The one place where that order is written.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::FromRequestParts,
    http::{Method, request::Parts},
};

use crate::{
    auth::{Credentials, Denied},
    domain::{AccountId, Actor, E164},
    service::{self, Error, Origin},
};

use super::{Api, fault::Fault, request::Call};

/// A request about an account that exists, from somebody who may act for it.
#[derive(Debug)]
pub(super) struct AccountCall {
    /// Who asks.
    pub actor: Actor,
    /// The account in the path.
    pub account: AccountId,
    call: Arc<Call>,
}

/// A request that is for administrators.
#[derive(Debug)]
pub(super) struct AdminCall {
    /// Who asks.
    pub actor: Actor,
    call: Arc<Call>,
}

/// A request from anybody who is known.
#[derive(Debug)]
pub(super) struct TokenCall {
    /// Who asks.
    pub actor: Actor,
    /// The request.
    pub call: Arc<Call>,
}

/// A request that needs no token. One that has a token needs a good one.
#[derive(Debug)]
pub(super) struct OpenCall {
    /// Who asks, if that one said so.
    pub actor: Option<Actor>,
    call: Arc<Call>,
}

impl Deref for OpenCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl Deref for TokenCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl Deref for AccountCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl Deref for AdminCall {
    type Target = Call;

    fn deref(&self) -> &Call {
        &self.call
    }
}

impl FromRequestParts<Api> for AccountCall {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let call = call_of(parts)?;
        let account = account_in_path(&call)?;
        let lineage = api.service.lineage(&account).await?;
        limit(api, &call, Some(&account))?;
        let caller = authenticate(api, &call).await?;
        if !caller.actor.rules(&lineage) {
            return Err(Fault::forbidden());
        }
        caller.needs(scope_of(&call))?;
        check_kind(&call)?;
        Ok(Self { actor: caller.actor, account, call })
    }
}

impl FromRequestParts<Api> for AdminCall {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let call = call_of(parts)?;
        limit(api, &call, None)?;
        let caller = authenticate(api, &call).await?;
        if !caller.actor.is_admin {
            return Err(Fault::forbidden());
        }
        caller.needs(scope_of(&call))?;
        check_kind(&call)?;
        Ok(Self { actor: caller.actor, call })
    }
}

impl FromRequestParts<Api> for TokenCall {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let call = call_of(parts)?;
        limit(api, &call, None)?;
        let caller = authenticate(api, &call).await?;
        caller.needs(scope_of(&call))?;
        check_kind(&call)?;
        Ok(Self { actor: caller.actor, call })
    }
}

impl FromRequestParts<Api> for OpenCall {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let call = call_of(parts)?;
        limit(api, &call, None)?;
        let actor = if call.token.is_some() {
            let caller = authenticate(api, &call).await?;
            caller.needs(scope_of(&call))?;
            Some(caller.actor)
        } else {
            None
        };
        check_kind(&call)?;
        Ok(Self { actor, call })
    }
}

impl Call {
    /// The number in the path, for an operation that only reads.
    pub(super) async fn number_to_read(&self, api: &Api) -> Result<E164, Fault> {
        api.service.parse(self.part("number")).await.map_err(Fault::reading)
    }

    /// The number in the path, for an operation that writes.
    pub(super) async fn number_to_write(&self, api: &Api) -> Result<E164, Fault> {
        Ok(api.service.parse(self.part("number")).await?)
    }
}

/// The account that the path names.
pub(super) fn account_in_path(call: &Call) -> Result<AccountId, Fault> {
    let text = call.part("account_id");
    AccountId::parse_any(text).map_err(|_| Fault::invalid_account(text))
}

/// Who a good token speaks for.
pub(super) struct Caller {
    /// Who asks.
    pub actor: Actor,
    credentials: Arc<Credentials>,
}

impl Caller {
    /// Whether the token allows what a request is about to do.
    pub(super) fn may(&self, call: &Call) -> bool {
        self.credentials.scopes.allow(scope_of(call))
    }

    fn needs(&self, scope: &str) -> Result<(), Fault> {
        if self.credentials.scopes.allow(scope) { Ok(()) } else { Err(Fault::forbidden()) }
    }
}

/// Checks the token, and that its account is in use.
pub(super) async fn authenticate(api: &Api, call: &Call) -> Result<Caller, Fault> {
    let token = call.token.as_deref().ok_or_else(Fault::no_credentials)?;
    let credentials = api.authenticator.verify(token).await.map_err(denied)?;
    let gone = |error| match error {
        Error::NoAccount(_) => Fault::unknown_credentials(),
        other => other.into(),
    };
    if let Some(account) = &credentials.account
        && !api.service.account(account).await.map_err(gone)?.enabled
    {
        return Err(Fault::locked(account));
    }
    let actor = api.service.actor(credentials.account.as_ref(), credentials.admin);
    let actor = actor.await.map_err(gone)?;
    call.accept_token();
    Origin::note_caller(service::Caller {
        account: credentials.account.as_ref().map(ToString::to_string),
        jti: credentials.jti.clone(),
    });
    Ok(Caller { actor, credentials })
}

fn denied(denied: Denied) -> Fault {
    match denied {
        Denied::Unusable => Fault::no_credentials(),
        Denied::Unknown => Fault::unknown_credentials(),
        Denied::Unavailable(_) => Fault::unreachable().caused_by(denied),
    }
}

fn call_of(parts: &Parts) -> Result<Arc<Call>, Fault> {
    parts.extensions.get::<Arc<Call>>().cloned().ok_or_else(Fault::internal)
}

/// Counts a request against the rate limit.
pub(super) fn limit(api: &Api, call: &Call, account: Option<&AccountId>) -> Result<(), Fault> {
    if let Some(tokens) = api.limiter.take(call.client, account)? {
        call.count(tokens);
    }
    Ok(())
}

/// What a token must allow for this request.
fn scope_of(call: &Call) -> &'static str {
    let is_below = |route: &&str| call.route.starts_with(route);
    if ["/v2/maintenance", "/v2/jobs", "/v2/tokens"].iter().any(is_below) {
        "maintenance"
    } else if ["/v2/changes", "/v2/webhooks"].iter().any(is_below) {
        "changes"
    } else if call.method == Method::GET {
        "read"
    } else {
        "write"
    }
}

fn check_kind(call: &Call) -> Result<(), Fault> {
    if call.body.readable { Ok(()) } else { Err(Fault::unsupported_media_type()) }
}
