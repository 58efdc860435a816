//go:build go1.25

package testing

// agentSetOutput gives a T what T.Output returns.
func agentSetOutput(t *T) { t.setOutputWriter() }
