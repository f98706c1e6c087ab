"""A letter from AWS when the month gets expensive; not in the stack, as CloudFormation lacks budgets in many regions."""

from typing import Any

from infra.aws.stack import Stack, said


def set_budget(stack: Stack, email: str, dollars: int) -> None:
    """Tell `email` at half of the month's budget spent, and when all of it is forecast to be; of the whole account."""
    budgets, budget = stack.client("budgets"), _budget(stack, dollars)
    with said("budget"):
        # Of the whole account, because a budget of one tag stays at nought until the tag is activated for billing.
        if _exists(stack):
            budgets.delete_budget(AccountId=stack.account, BudgetName=budget["BudgetName"])
        budgets.create_budget(
            AccountId=stack.account,
            Budget=budget,
            NotificationsWithSubscribers=[_letter(email, "ACTUAL", 50), _letter(email, "FORECASTED", 100)],
        )
    print(f"budget   {email} hears at half of ${dollars} a month, and when all of it is forecast", flush=True)


def remove_budget(stack: Stack) -> None:
    """Take it away where there is one."""
    if _exists(stack):
        with said("budget"):
            stack.client("budgets").delete_budget(AccountId=stack.account, BudgetName=_name(stack))
        print("budget   deleted", flush=True)


def _name(stack: Stack) -> str:
    return f"{stack.name}-{stack.region}"


def _exists(stack: Stack) -> bool:
    with said("budget"):
        pages = stack.client("budgets").get_paginator("describe_budgets").paginate(AccountId=stack.account)
        return any(row["BudgetName"] == _name(stack) for page in pages for row in page.get("Budgets", []))


def _budget(stack: Stack, dollars: int) -> dict[str, Any]:
    limit = {"Amount": str(dollars), "Unit": "USD"}
    return {"BudgetName": _name(stack), "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}


def _letter(email: str, kind: str, percent: float) -> dict[str, Any]:
    rule = {"NotificationType": kind, "ComparisonOperator": "GREATER_THAN", "Threshold": percent, "ThresholdType": "PERCENTAGE"}
    return {"Notification": rule, "Subscribers": [{"SubscriptionType": "EMAIL", "Address": email}]}
