# SPDX-License-Identifier: Apache-2.0
"""Policy versions: numbered without a gap, never overlapping, their texts unchanged (9.1, 9.2)."""

from collections.abc import Iterable, Iterator

from cli.consistency.fault import Fault
from cli.consistency.matching import gathered, matched
from cli.consistency.store_consent import PolicyRow
from cli.consistency.store_standing import PushedSlice
from services.consent.policy import digest
from services.consent.schedule import Schedule, Term
from services.consent.wire_vault import schedule_body


def policy_faults(
    published: Iterable[PolicyRow], schedules: Iterable[PushedSlice]
) -> Iterator[Fault]:
    """Faults of versions, by (site, version), and of the schedules made of them, by site."""
    sites = gathered(published, lambda policy: policy.site)
    for versions, pushed in matched(sites, schedules, lambda g: g[0], lambda s: s.place[0]):
        if versions is None:
            if pushed is not None:
                yield _schedule_fault(pushed.place[0], "a schedule without any version")
            continue
        site, policies = versions
        yield from _version_faults(policies)
        if pushed is None:
            yield _schedule_fault(site, "the site has versions but no schedule")
        elif schedule_body(_schedule(policies)) != pushed.body:
            yield _schedule_fault(site, "the schedule is not the one of the versions")


def _version_faults(policies: list[PolicyRow]) -> Iterator[Fault]:
    before: PolicyRow | None = None
    for expected, policy in enumerate(policies, start=1):
        if policy.version != expected:
            yield _fault(policy, "a version before it is missing")
            return
        if not policy.texts:
            yield _fault(policy, "its texts are missing")
        elif digest(policy.version, policy.prevailing_language, policy.texts) != policy.sha256:
            yield _fault(policy, "its texts are not those of its digest")
        if policy.effective_time < policy.publish_time:
            yield _fault(policy, "it takes effect before it was published")
        if before is not None and policy.effective_time <= before.effective_time:
            yield _fault(policy, "it takes effect no later than the version before it")
        if before is not None and policy.publish_time <= before.publish_time:
            yield _fault(policy, "it was published no later than the version before it")
        before = policy


def _schedule(policies: list[PolicyRow]) -> Schedule:
    return Schedule(
        tuple(
            Term(p.version, p.publish_time, p.effective_time, p.material_purposes) for p in policies
        )
    )


def _fault(policy: PolicyRow, what: str) -> Fault:
    return Fault.of("consent", "policies", what, site_id=policy.site, version=policy.version)


def _schedule_fault(site: str, what: str) -> Fault:
    return Fault.of("consent", "slices", what, topic="schedule", site_id=site)
