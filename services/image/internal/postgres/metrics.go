package postgres

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// The pool's connections, by what database/sql counts: go_sql_in_use_connections and its like.
func (s *Store) pool() prometheus.Collector { return collectors.NewDBStatsCollector(s.db, "image") }

// Describe implements prometheus.Collector.
func (s *Store) Describe(to chan<- *prometheus.Desc) { s.pool().Describe(to) }

// Collect implements prometheus.Collector.
func (s *Store) Collect(to chan<- prometheus.Metric) { s.pool().Collect(to) }
