// Package probe has fuzz targets that say which arguments they got, for tests
// of whoever feeds them.
package probe
