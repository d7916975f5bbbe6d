package logs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestComposed(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	there := func(path string) bool {
		_, err := os.Stat(filepath.Join("../..", path))
		return err == nil
	}
	if problems := shipped.Composed(there); len(problems) > 0 {
		t.Error(strings.Join(problems, "\n"))
	}
	for _, c := range []struct{ file, from, to, want string }{
		{Compose, "logstash/logstash:${ELASTIC_VERSION:-8.19.18}", "logstash/logstash:latest", "logstash: its image is not pinned"},
		{Compose, "logstash/logstash:${ELASTIC_VERSION:-8.19.18}", "logstash/logstash:${ELASTIC_VERSION:-8.19.17}", "of 2 versions"},
		{Compose, "mem_limit: ${ELASTICSEARCH_MEMORY:-1g}", "mem_reservation: 1g", "elasticsearch: it may take all memory"},
		{Compose, `"http://127.0.0.1:5601/api/status"]`, `"http://127.0.0.1:5601/api/status"], disable: true, other: [`, Compose + ": yaml"},
		{Compose, `healthcheck: {test: ["CMD", "filebeat"`, `check: {test: ["CMD", "filebeat"`, "filebeat: nobody sees whether it is well"},
		{Compose, "${UI_BIND:-127.0.0.1}:${KIBANA_PORT:-5601}", "0.0.0.0:${KIBANA_PORT:-5601}", "kibana: it is published"},
		{Compose, `    volumes: ["elasticsearch:`, `    ports: ["127.0.0.1:9200:9200"]` + "\n" + `    volumes: ["elasticsearch:`, "elasticsearch: it is published"},
		{Compose, `["elasticsearch:/usr`, `["elastic:/usr`, "elasticsearch: there is no volume elastic"},
		{Compose, "./deploy/elk/logstash.conf:", "./deploy/elk/pipeline.conf:", "logstash: there is no ./deploy/elk/pipeline.conf"},
		{Compose, "internal: true\n\nvolumes", "internal: false\n\nvolumes", "leads outside"},
		{Compose, `, tag: "{{.Name}}"`, "", "gateway: its lines do not say from which container"},
		{Compose, "com.docker.compose.project,com", "com", "storage: its lines have no com.docker.compose.project"},
		{Compose, "profiles: [elk]", "profiles: [logs]", "the profile has []"},
		{Example, "#LOGS_QUEUE=1GB", "#LOGS_QUEUE=2GB", "it has no LOGS_QUEUE=1GB"},
		{Guide, "| `ELASTIC_VERSION` |", "| the version |", "it does not tell of ELASTIC_VERSION"},
	} {
		told(t, shipped.changed(t, c.file, c.from, c.to).Composed(there), c.want)
	}
}
