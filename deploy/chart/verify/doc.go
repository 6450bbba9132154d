// Package verify checks the chart without a cluster: with Helm's own linter and
// engine, the schemas of several versions of Kubernetes, the code by which an API
// server validates, and what the chart claims besides.
//
// It has tests only, in a module outside the workspace, because the versions that
// Kubernetes needs must not move those of the services. It refuses what a
// server would refuse; a server says more (server.sh, which is make chart-server). Its tests fetch
// modules: those whose manifests they read are not imported, and so not in go.mod.
package verify
