//go:build race

package testing

// agentRace is true in builds that detect data races.
const agentRace = true
