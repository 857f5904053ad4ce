/* rules.c - is a manifest right? The contract's rules, in its order and with its texts
 *
 * Clarity contract section 12. A rule that fails ends the check; unknown members are kept.
 */
#include "compat.h"

#include "agents/internal.h"
#include "agents/rule.h"

static bool
check_restart(struct span spec, struct err *err)
{
	struct span restart, value;
	int64_t n;

	if (!rule_object(spec, "restartPolicy", &restart))
		return rule_broken(err, "spec.restartPolicy is required");
	if (!jtext_get(restart, "mode", &value) || !RULE_WORD(value, "never", "on-failure", "always"))
		return rule_broken(err, "restartPolicy.mode must be never | on-failure | always");
	if (!jtext_get_i64(restart, "maxRestarts", &n) || n < 0)
		return rule_broken(err, "restartPolicy.maxRestarts must be an integer >= 0");
	if (!jtext_get_i64(restart, "windowSeconds", &n) || n <= 0)
		return rule_broken(err, "restartPolicy.windowSeconds must be a positive integer");
	return true;
}

static bool
check_spec(struct span manifest, struct err *err)
{
	struct span spec, enabled, autostart;

	if (!rule_object(manifest, "spec", &spec))
		return rule_broken(err, "spec is required");
	if (!jtext_get(spec, "enabled", &enabled) || !rule_bool(enabled) || !jtext_get(spec, "autostart", &autostart) ||
	    !rule_bool(autostart))
		return rule_broken(err, "spec.enabled and spec.autostart must be booleans");
	return rule_need_string(spec, "spec.", "policyRef", err) && rule_may_string(spec, "spec.", "toolNamespace", err) &&
	    check_restart(spec, err) && rules_origin(spec, err);
}

bool
manifest_check(struct span manifest, struct err *err)
{
	struct span metadata, value, agent;

	if (jtext_type(manifest) != JTEXT_OBJECT)
		return rule_broken(err, "expected object");
	if (!jtext_get(manifest, "apiVersion", &value) || !jtext_is_string(value, "clarity.runtime/v1"))
		return rule_broken(err, "apiVersion must be 'clarity.runtime/v1'");
	if (!jtext_get(manifest, "kind", &value) || !jtext_is_string(value, "MCPService"))
		return rule_broken(err, "kind must be 'MCPService'");
	if (!rule_object(manifest, "metadata", &metadata))
		return rule_broken(err, "metadata is required");
	if (!rule_need_string(metadata, "metadata.", "sourceFile", err) || !rule_need_string(metadata, "metadata.", "module", err) ||
	    !rule_may_string(metadata, "metadata.", "serviceId", err) || !rule_may_string(metadata, "metadata.", "displayName", err))
		return false;
	if (!jtext_get(metadata, "serviceType", &value) || !RULE_WORD(value, "mcp", "agent"))
		return rule_broken(err, "metadata.serviceType must be 'mcp' or 'agent'");
	if (jtext_get(metadata, "agent", &agent)) {
		if (!rules_agent(agent, err))
			return false;
	} else if (jtext_is_string(value, "agent"))
		return rule_broken(err, "metadata.agent must be an object");
	return check_spec(manifest, err);
}
