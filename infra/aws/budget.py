"""AWS budget that sends an e-mail when the month gets expensive. Many regions have no budgets in CloudFormation."""

from typing import Any

from infra.aws.stack import Stack, translate_aws_errors


def set_budget(stack: Stack, email: str, dollars: int) -> None:
    """Create or replace the monthly budget; AWS writes to `email` at 50 % spent and when 100 % is forecast."""
    budgets = stack.client("budgets")
    # It covers the whole account: a budget of one tag stays at 0 until the tag is activated for billing.
    budget = {
        "BudgetName": _name(stack),
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": str(dollars), "Unit": "USD"},
    }
    with translate_aws_errors("budget"):
        if _exists(stack):
            budgets.delete_budget(AccountId=stack.account, BudgetName=_name(stack))
        budgets.create_budget(
            AccountId=stack.account,
            Budget=budget,
            NotificationsWithSubscribers=[_notification(email, "ACTUAL", 50), _notification(email, "FORECASTED", 100)],
        )
    print(f"budget   AWS writes to {email} at half of ${dollars} a month, and when all of it is forecast", flush=True)


def remove_budget(stack: Stack) -> None:
    """Delete the budget if it exists."""
    if _exists(stack):
        with translate_aws_errors("budget"):
            stack.client("budgets").delete_budget(AccountId=stack.account, BudgetName=_name(stack))
        print("budget   deleted", flush=True)


def _name(stack: Stack) -> str:
    return f"{stack.name}-{stack.region}"


def _exists(stack: Stack) -> bool:
    with translate_aws_errors("budget"):
        pages = stack.client("budgets").get_paginator("describe_budgets").paginate(AccountId=stack.account)
        return any(row["BudgetName"] == _name(stack) for page in pages for row in page.get("Budgets", []))


def _notification(email: str, kind: str, percent: float) -> dict[str, Any]:
    rule = {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": percent, "ThresholdType": "PERCENTAGE"}
    return {"Notification": rule, "Subscribers": [{"SubscriptionType": "EMAIL", "Address": email}]}
