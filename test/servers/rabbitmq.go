package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"
)

// RabbitMQ is a RabbitMQ node with its own folder. What is durable outlives Stop, Kill and Start.
type RabbitMQ struct {
	*Process
	Addr string // of AMQP, host:port
	URL  string // amqp://guest:guest@host:port/
	Name string // of the Erlang node
	// TLS is where it takes connections by amqps:// with certificates only, where it was started so.
	TLS string
}

// NewRabbitMQ starts a node and returns when it takes connections.
func NewRabbitMQ(t testing.TB) *RabbitMQ {
	t.Helper()
	return NewRabbitMQCluster(t, 1).Nodes[0]
}

// NewRabbitMQWithTLS starts a node that also listens with TLS, and takes only clients that show a certificate of the files' authority.
func NewRabbitMQWithTLS(t testing.TB, files TLSFiles) *RabbitMQ {
	t.Helper()
	port := freePorts(t, 1)[0]
	node := newRabbitMQCluster(t, 1, fmt.Sprintf("listeners.ssl.1 = 127.0.0.1:%d\nssl_options.cacertfile = %s\nssl_options.certfile = %s\nssl_options.keyfile = %s\n"+
		"ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n", port, files.CA, files.Cert, files.Key)).Nodes[0]
	node.TLS = local(port)
	return node
}

// RabbitMQCluster is some nodes that know each other.
type RabbitMQCluster struct {
	Nodes []*RabbitMQ
	t     testing.TB
	conf  string   // what is set beside the usual
	epmd  *Process // finds nodes by their names; it is nobody's child unless it is ours
}

// NewRabbitMQCluster starts n nodes and returns when all have joined and take connections. Some 10 s for three.
func NewRabbitMQCluster(t testing.TB, n int) *RabbitMQCluster {
	t.Helper()
	return newRabbitMQCluster(t, n, "")
}

func newRabbitMQCluster(t testing.TB, n int, conf string) *RabbitMQCluster {
	t.Helper()
	c := &RabbitMQCluster{t: t, conf: conf}
	c.epmd = start(t, "epmd", 1, func(ports []int) ([]string, func(context.Context) error) {
		return []string{"-address", "127.0.0.1", "-port", strconv.Itoa(ports[0])},
			func(ctx context.Context) error { return accepts(ctx, local(ports[0])) }
	})
	var err error
	for range 3 { // somebody else may take a port first
		if err = c.create(n); err == nil {
			break
		}
		for _, node := range c.Nodes {
			node.Kill()
		}
	}
	if err != nil {
		t.Fatalf("start %d RabbitMQ nodes: %v\n%s", n, err, c.log())
	}
	return c
}

// create runs nodes with new names, ports and folders.
func (c *RabbitMQCluster) create(n int) error {
	c.t.Helper()
	c.Nodes = nil
	ports := freePorts(c.t, 2*n)
	for i := range n {
		c.Nodes = append(c.Nodes, &RabbitMQ{
			Addr: local(ports[2*i]), URL: "amqp://guest:guest@" + local(ports[2*i]) + "/", Name: fmt.Sprintf("r%d@localhost", ports[2*i]),
		})
	}
	failed := make(chan error, n)
	for i, node := range c.Nodes {
		node.Process = c.process(node, ports[2*i], ports[2*i+1])
		go func() { failed <- node.run() }()
	}
	var err error
	for range n {
		if e := <-failed; e != nil {
			err = e
		}
	}
	if err == nil {
		err = c.joined()
	}
	return err
}

// process prepares a node; nothing of it is shared with one that the system itself may run.
func (c *RabbitMQCluster) process(node *RabbitMQ, port, dist int) *Process {
	c.t.Helper()
	dir := c.t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			c.t.Fatalf("prepare a RabbitMQ node: %v", err)
		}
		return path
	}
	write(".erlang.cookie", "calotypetest", 0o400)
	conf := "disk_free_limit.absolute = 50MB\nraft.wal_max_size_bytes = 16777216\nnet_ticktime = 15\nlog.console.level = warning\n" + c.conf
	if len(c.Nodes) > 1 {
		conf += "cluster_formation.peer_discovery_backend = classic_config\n"
		for i, n := range c.Nodes {
			conf += fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s\n", i+1, n.Name)
		}
	}
	p := &Process{t: c.t, path: rabbitmqProgram(c.t, "rabbitmq-server"), log: filepath.Join(dir, "rabbitmq.log")}
	p.env = []string{
		"HOME=" + dir, "RABBITMQ_NODENAME=" + node.Name, "RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT=" + strconv.Itoa(port),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(dist), "ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT=" + c.epmd.args[3],
		"RABBITMQ_MNESIA_BASE=" + filepath.Join(dir, "mnesia"), "RABBITMQ_GENERATED_CONFIG_DIR=" + filepath.Join(dir, "config"),
		"RABBITMQ_SCHEMA_DIR=" + filepath.Join(dir, "schema"), "RABBITMQ_ENABLED_PLUGINS_FILE=" + write("plugins", "[].\n", 0o600),
		"RABBITMQ_CONFIG_FILE=" + write("rabbitmq.conf", conf, 0o600), "RABBITMQ_CONF_ENV_FILE=" + filepath.Join(dir, "none"), "RABBITMQ_LOGS=-",
		// The script then becomes the broker, in place of starting it as a child that would outlive a kill.
		"RUNNING_UNDER_SYSTEMD=true",
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
	}
	p.ready = node.answers
	c.t.Cleanup(p.cleanup)
	return p
}

// answers logs in and opens a channel.
func (r *RabbitMQ) answers(ctx context.Context) error {
	if err := accepts(ctx, r.Addr); err != nil {
		return err
	}
	conn, err := amqp.Dial(r.URL)
	if err != nil {
		return err
	}
	defer conn.Close()
	_, err = conn.Channel()
	return err
}

// joined makes sure that every node knows of a queue that the first has.
func (c *RabbitMQCluster) joined() error {
	for i, node := range c.Nodes {
		conn, err := amqp.Dial(node.URL)
		if err != nil {
			return err
		}
		defer conn.Close()
		ch, err := conn.Channel()
		if err != nil {
			return err
		}
		if i == 0 {
			_, err = ch.QueueDeclare("joined", true, false, false, false, nil)
		} else {
			_, err = ch.QueueDeclarePassive("joined", true, false, false, false, nil)
		}
		if err != nil {
			return fmt.Errorf("node %d has not joined: %w", i, err)
		}
		if i == len(c.Nodes)-1 {
			if _, err := ch.QueueDelete("joined", false, false, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// Start runs nodes again together, which is how they must come back after all were gone: some wait for others.
func (c *RabbitMQCluster) Start(nodes ...*RabbitMQ) {
	c.t.Helper()
	failed := make(chan error, len(nodes))
	for _, n := range nodes {
		go func() { failed <- n.run() }()
	}
	for range nodes {
		if err := <-failed; err != nil {
			c.t.Fatalf("start RabbitMQ nodes again: %v\n%s", err, c.log())
		}
	}
}

// URLs are those of all nodes.
func (c *RabbitMQCluster) URLs() (all []string) {
	for _, n := range c.Nodes {
		all = append(all, n.URL)
	}
	return all
}

// Leader is the node that leads a quorum queue now, as one that is alive says.
func (c *RabbitMQCluster) Leader(alive *RabbitMQ, queue string) *RabbitMQ {
	c.t.Helper()
	for line := range strings.Lines(alive.Ctl("list_queues", "--quiet", "--no-table-headers", "name", "leader")) {
		fields := strings.Fields(line)
		for _, n := range c.Nodes {
			if len(fields) == 2 && fields[0] == queue && fields[1] == n.Name {
				return n
			}
		}
	}
	c.t.Fatalf("nobody leads the queue %s", queue)
	return nil
}

// Ctl runs rabbitmqctl on the node, which takes a second or two, and returns what it prints.
func (r *RabbitMQ) Ctl(args ...string) string {
	r.t.Helper()
	cmd := exec.CommandContext(r.t.Context(), rabbitmqProgram(r.t, "rabbitmqctl"), args...)
	cmd.Env = append(cmd.Environ(), r.env...)
	out, err := cmd.Output()
	if err != nil {
		r.t.Fatalf("rabbitmqctl %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Sync has the node write down which quorum queues it has. RabbitMQ 3.10 does so within 3 s by itself; a node that is killed
// sooner no longer knows what the log of a new queue belongs to, and the queue never gets a leader again.
func (r *RabbitMQ) Sync() {
	r.t.Helper()
	r.Ctl("eval", "[ok = dets:sync(T) || T <- dets:all()].")
}

func (c *RabbitMQCluster) log() (all string) {
	for _, n := range c.Nodes {
		all += n.Log() + "\n"
	}
	return all
}

// rabbitmqProgram finds the program itself: what Debian puts on the PATH changes the user and forgets the environment.
func rabbitmqProgram(t testing.TB, name string) string {
	t.Helper()
	if path := filepath.Join("/usr/lib/rabbitmq/bin", name); exists(path) {
		return path
	}
	return find(t, name)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
