// Package arch holds the rules on who may import whom, as data with their reasons, and the tests that prove them over
// the source as it stands. They are statements of policy: a build that breaks one is mended, not the rule.
package arch
