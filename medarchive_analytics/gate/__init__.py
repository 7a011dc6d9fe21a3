"""The steward's gate: request, build, evidence, two approvals, signed release. Nothing else can feed the store."""
