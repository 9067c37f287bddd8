//! Where a number's life differs from KAZOO's, on purpose.

use crate::support::vectors::Deviation;

const STRANGERS: &str = "whoever takes a free number acts for itself or a descendant";
const NOBODY: &str = "every operation is told who asks";
const LAST_OWNER: &str = "aging numbers are taken by administrators and their last owners only";
const AGING_IS_OURS: &str = "only an administrator lets a free number age";
const AGING_HAS_NOBODY: &str =
    "nobody holds what is ageing; whom it was put aside for may take it back";
const TARGET: &str = "the target of a move is checked too";
const UNHELD: &str = "a number that one does not hold is not one's to put in service";
const NO_TAKER: &str = "without an account the step is forbidden, and that is all there is to say";
const BOUGHT_ONCE: &str = "a number is bought when an offer is taken, not when it changes hands";
const STRAIGHT: &str = "the cause names the states in the order in which they follow";
const UNKNOWN: &str = "what is no state is refused where it is read";
const BY_ADMINS: &str = "released to available is allowed to administrators";
const ADMIN_STOCK: &str = "a number reserved on an administrator's account is not everybody's";
const NOT_GIVEN_BACK: &str = "a number that stays in our stock is not given back to its carrier";
const HISTORY: &str = "whoever reserved a number before gets it back";
const AT_THE_DOOR: &str = "an account is read at the door: what is none never comes this far";

pub(super) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        area: "is_authorized",
        given: r#"{"auth_by":"account0000000000000000000000002","assigned_to":"account0000000000000000000000002","assign_to":"unrelated_account_b113394f16cb71"}"#,
        reason: TARGET,
    },
    Deviation {
        area: "reserve_history/unwind",
        given: r#"{"reserve_history":["account0000000000000000000000002"],"assigned_to":"account0000000000000000000000003","released_state":"available"}"#,
        reason: HISTORY,
    },
    Deviation {
        area: "is_reserved_from_parent",
        given: r#"{"auth_by":"unrelated_account_b113394f16cb71","assigned_to":"account0000000000000000000000001","state":"reserved"}"#,
        reason: ADMIN_STOCK,
    },
    Deviation {
        area: "transition",
        given: r#"{"from":"released","to":"available","module_name":"knm_telnyx","assigned_to":null,"reserve_history":[],"assign_to":"account0000000000000000000000003","auth_by":"system"}"#,
        reason: BY_ADMINS,
    },
    Deviation {
        area: "transition",
        given: r#"{"from":"available","to":"aging","module_name":"knm_telnyx","assigned_to":null,"reserve_history":[],"assign_to":"account0000000000000000000000003","auth_by":"system"}"#,
        reason: AGING_HAS_NOBODY,
    },
    Deviation {
        area: "transition",
        given: r#"{"from":"released","to":"aging","module_name":"knm_telnyx","assigned_to":null,"reserve_history":[],"assign_to":"account0000000000000000000000003","auth_by":"system"}"#,
        reason: AGING_HAS_NOBODY,
    },
    Deviation {
        area: "transition",
        given: r#"{"from":"in_service","to":"bogus","assigned_to":"account0000000000000000000000002","assign_to":"account0000000000000000000000003","auth_by":"system"}"#,
        reason: UNKNOWN,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"available","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"unrelated_account_b113394f16cb71","module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: STRANGERS,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"available","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":null,"module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: NOBODY,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"aging","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"account0000000000000000000000003","module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: LAST_OWNER,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"in_service","to":"in_service","assigned_to":"account0000000000000000000000002","assign_to":"unrelated_account_b113394f16cb71","auth_by":"account0000000000000000000000002","module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: TARGET,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"in_service","to":"in_service","assigned_to":"account0000000000000000000000002","assign_to":"account0000000000000000000000002","auth_by":"unrelated_account_b113394f16cb71","module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: UNHELD,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"reserved","to":"reserved","assigned_to":"account0000000000000000000000002","assign_to":null,"auth_by":"account0000000000000000000000002","module_name":"knm_telnyx","reserve_history":["account0000000000000000000000002"]}"#,
        reason: NO_TAKER,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"reserved","to":"reserved","assigned_to":"account0000000000000000000000002","assign_to":"account0000000000000000000000003","auth_by":"account0000000000000000000000002","module_name":"knm_telnyx","reserve_history":["account0000000000000000000000002"]}"#,
        reason: BOUGHT_ONCE,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"available","to":"aging","assigned_to":null,"assign_to":null,"auth_by":"unrelated_account_b113394f16cb71","module_name":"knm_telnyx","reserve_history":[]}"#,
        reason: AGING_IS_OURS,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"discovery","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"system","module_name":"knm_mdn","reserve_history":[]}"#,
        reason: STRAIGHT,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"port_in","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"system","module_name":"knm_mdn","reserve_history":[]}"#,
        reason: STRAIGHT,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"available","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"system","module_name":"knm_mdn","reserve_history":[]}"#,
        reason: STRAIGHT,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"aging","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"system","module_name":"knm_mdn","reserve_history":[]}"#,
        reason: STRAIGHT,
    },
    Deviation {
        area: "transition/auth",
        given: r#"{"from":"reserved","to":"in_service","assigned_to":null,"assign_to":"account0000000000000000000000003","auth_by":"system","module_name":"knm_mdn","reserve_history":[]}"#,
        reason: STRAIGHT,
    },
    Deviation {
        area: "release/outcome",
        given: r#"{"module_name":"knm_flowroute","reserve_history":[],"released_state":"available"}"#,
        reason: NOT_GIVEN_BACK,
    },
    Deviation {
        area: "create/request_checks",
        given: r#"{"auth_by":"account0000000000000000000000001","assign_to":"short"}"#,
        reason: AT_THE_DOOR,
    },
    Deviation {
        area: "create/request_checks",
        given: r#"{"auth_by":"account0000000000000000000000001"}"#,
        reason: AT_THE_DOOR,
    },
];
