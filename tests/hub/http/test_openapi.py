"""The OpenAPI document holds everything that the hub serves, and the page shows it without any other host."""

import re

import pytest
from house import House

pytestmark = pytest.mark.anyio

CONTRACT = """
POST /v1/commands                      POST /v1/approvals             GET /v1/approvals
GET /v1/approvals/{id}                 PATCH /v1/approvals/{id}       POST /v1/approvals/{id}/submit
POST /v1/approvals/{id}/approve        POST /v1/approvals/{id}/reject POST /v1/approvals/{id}/request-changes
POST /v1/approvals/{id}/withdraw       POST /v1/approvals/{id}/comment POST /v1/approvals/{id}/apply
POST /v1/approvals/{id}/resolve        POST /v1/approvals/{id}/retry  POST /v1/approvals/batch
GET /v1/approvals/{id}/wait            GET /v1/approvals/{id}/who     POST /v1/runs/{id}/stop
POST /v1/stop                          POST /v1/resume                POST /v1/leases/acquire
POST /v1/leases/{lock_id}/heartbeat    POST /v1/leases/{lock_id}/release POST /v1/leases/{lock_id}/break
GET /v1/delegations                    POST /v1/delegations           DELETE /v1/delegations/{id}
GET /v1/grants                         POST /v1/grants                DELETE /v1/grants/{id}
GET /v1/freezes                        POST /v1/freezes               DELETE /v1/freezes/{id}
GET /v1/schedules                      POST /v1/schedules             GET /v1/schedules/{id}
GET /v1/triggers                       PATCH /v1/triggers/{name}      POST /v1/triggers/{name}/test
PATCH /v1/schedules/{id}               DELETE /v1/schedules/{id}      POST /v1/schedules/{id}/fire
POST /v1/approvals/{id}/review         POST /v1/approvals/{id}/override       GET /v1/approvals/{id}/receipt
GET /v1/leases                         GET /v1/leases/tickets/{ticket} DELETE /v1/leases/tickets/{ticket}
GET /v1/events                         GET /v1/events/tail            GET /v1/audit/checkpoint
GET /v1/audit/proof/{seq}              GET /v1/audit/key              POST /v1/press
POST /v1/auth/token                    POST /v1/auth/refresh          POST /v1/auth/logout
GET /v1/channels                       GET /v1/deliveries             GET /v1/people
GET /v1/agents                         GET /v1/keys                   POST /v1/keys
DELETE /v1/keys/{prefix}               GET /v1/sessions               DELETE /v1/sessions/{id}
GET /v1/stats                          POST /hooks/{name}             GET /login/{token}
POST /login/{token}                    GET /healthz                   GET /readyz
GET /metrics
"""


async def test_the_document_has_every_operation_of_the_contract(house: House) -> None:
    made = (await house.http.get("/openapi.json")).json()
    there = {f"{method.upper()} {path}" for path, item in made["paths"].items() for method in item}
    wanted = set(re.findall(r"(?:GET|POST|PATCH|DELETE) \S+", CONTRACT))
    assert wanted <= there, wanted - there


async def test_every_operation_says_who_may_and_how_it_fails(house: House) -> None:
    made = (await house.http.get("/openapi.json")).json()
    names = []
    for item in made["paths"].values():
        for operation in item.values():
            assert operation["x-permission"] not in ("", "None")
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert operation.get("summary") or operation.get("description")
            names.append(operation["operationId"])
    assert len(names) == len(set(names))


async def test_every_reference_in_the_document_leads_somewhere(house: House) -> None:
    answer = await house.http.get("/openapi.json")
    schemas = answer.json()["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/(\w+)", answer.text):
        assert name in schemas


async def test_the_page_lists_every_path_and_loads_nothing_from_elsewhere(house: House) -> None:
    page = await house.http.get("/docs")
    assert "/v1/approvals/batch" in page.text
    assert "http" not in page.text.replace("HTTP", "").replace("http-equiv", "")
    assert "default-src 'none'" in page.headers["content-security-policy"]
