//go:build go1.24 && !go1.25

package testing

// agentSetOutput gives a T what T.Output returns; this Go has no such method.
func agentSetOutput(*T) {}
