// Package metrics holds what the programs show at /metrics against what is written about it: the table of docs/metrics.md, the
// rules of infra/alerts with their runbooks, the queries of docs/slo.md, and the dashboard. Names come from the running programs,
// so that a query can't ask for what nobody shows.
package metrics
