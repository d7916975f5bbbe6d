package kubernetes

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"go.yaml.in/yaml/v3"
)

// manifest is a document, of which as gives the rest. That there is nothing else in it than Kubernetes knows, others see to.
type manifest struct {
	APIVersion string `yaml:"apiVersion"`
	Kind       string
	Metadata   metadata
	node       *yaml.Node
}

type metadata struct {
	Name        string
	Labels      map[string]string
	Annotations map[string]string
}

func (m manifest) String() string { return m.Kind + " " + m.Metadata.Name }

func parse(t testing.TB, rendered []byte) []manifest {
	t.Helper()
	var all []manifest
	decoder := yaml.NewDecoder(bytes.NewReader(rendered))
	for {
		var node yaml.Node
		err := decoder.Decode(&node)
		if errors.Is(err, io.EOF) {
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		m := manifest{node: &node}
		if err := node.Decode(&m); err != nil {
			t.Fatal(err)
		}
		if m.Kind != "" {
			all = append(all, m)
		}
	}
}

func as[T any](t testing.TB, m manifest) T {
	t.Helper()
	var x T
	if err := m.node.Decode(&x); err != nil {
		t.Fatalf("%v: %v", m, err)
	}
	return x
}

type selector struct {
	MatchLabels      map[string]string `yaml:"matchLabels"`
	MatchExpressions []struct {
		Key, Operator string
		Values        []string
	} `yaml:"matchExpressions"`
}

type service struct {
	Spec struct {
		Selector map[string]string
		Ports    []servicePort
	}
}

type servicePort struct {
	Name       string
	Port       int
	TargetPort string `yaml:"targetPort"`
}

type budget struct {
	Spec struct {
		MinAvailable   *int `yaml:"minAvailable"`
		MaxUnavailable *int `yaml:"maxUnavailable"`
		Selector       selector
	}
}

// scaler is a HorizontalPodAutoscaler or a ScaledObject.
type scaler struct {
	Spec struct {
		ScaleTargetRef  struct{ Kind, Name string } `yaml:"scaleTargetRef"`
		MinReplicas     int                         `yaml:"minReplicas"`
		MaxReplicas     int                         `yaml:"maxReplicas"`
		MinReplicaCount int                         `yaml:"minReplicaCount"`
		MaxReplicaCount int                         `yaml:"maxReplicaCount"`
		Metrics         []struct {
			Type     string
			Resource struct{ Name string }
		}
		Triggers []struct {
			Type              string
			Metadata          map[string]string
			AuthenticationRef struct{ Name string } `yaml:"authenticationRef"`
		}
	}
}

type triggerAuthentication struct {
	Spec struct {
		SecretTargetRef []struct{ Parameter, Name, Key string } `yaml:"secretTargetRef"`
	}
}

type networkPolicy struct {
	Spec struct {
		PodSelector     selector `yaml:"podSelector"`
		PolicyTypes     []string `yaml:"policyTypes"`
		Ingress, Egress []rule
	}
}

type rule struct {
	From, To []peer
	Ports    []struct{ Port int }
}

type peer struct {
	PodSelector       *selector      `yaml:"podSelector"`
	NamespaceSelector map[string]any `yaml:"namespaceSelector"`
	IPBlock           map[string]any `yaml:"ipBlock"`
}

type ingress struct {
	Spec struct {
		Rules []struct {
			HTTP struct {
				Paths []struct {
					Backend struct {
						Service struct {
							Name string
							Port struct{ Name string }
						}
					}
				}
			}
		}
	}
}

type serviceMonitor struct {
	Spec struct {
		Selector  selector
		Endpoints []struct {
			Port        string
			HonorLabels bool `yaml:"honorLabels"`
		}
	}
}

type configMap struct {
	Data       map[string]string
	StringData map[string]string `yaml:"stringData"`
}
