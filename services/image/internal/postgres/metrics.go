package postgres

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
)

// The pools' connections, by what database/sql counts: go_sql_in_use_connections and its like.
func (s *Store) pools() []prometheus.Collector {
	return []prometheus.Collector{collectors.NewDBStatsCollector(s.db.DB, "image"), collectors.NewDBStatsCollector(s.writers.DB, "image_writers")}
}

// Describe implements prometheus.Collector.
func (s *Store) Describe(to chan<- *prometheus.Desc) {
	for _, p := range s.pools() {
		p.Describe(to)
	}
}

// Collect implements prometheus.Collector.
func (s *Store) Collect(to chan<- prometheus.Metric) {
	for _, p := range s.pools() {
		p.Collect(to)
	}
}
