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

// workload is a Deployment or a StatefulSet.
type workload struct {
	Spec struct {
		Replicas             *int
		ServiceName          string `yaml:"serviceName"`
		Selector             selector
		VolumeClaimTemplates []struct{ Metadata metadata } `yaml:"volumeClaimTemplates"`
		Template             struct {
			Metadata metadata
			Spec     pod
		}
	}
}

type pod struct {
	ServiceAccountName            string `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool  `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool  `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int    `yaml:"terminationGracePeriodSeconds"`
	SecurityContext               struct {
		RunAsNonRoot   bool                  `yaml:"runAsNonRoot"`
		RunAsUser      int                   `yaml:"runAsUser"`
		SeccompProfile struct{ Type string } `yaml:"seccompProfile"`
	} `yaml:"securityContext"`
	TopologySpreadConstraints []struct {
		LabelSelector selector `yaml:"labelSelector"`
	} `yaml:"topologySpreadConstraints"`
	Containers []container
	Volumes    []volume
}

type container struct {
	Name, Image     string
	SecurityContext struct {
		AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
		ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
		Capabilities             struct{ Drop []string }
	} `yaml:"securityContext"`
	EnvFrom []struct {
		ConfigMapRef struct{ Name string } `yaml:"configMapRef"`
	} `yaml:"envFrom"`
	Env   []struct{ Name, Value string }
	Ports []struct {
		Name          string
		ContainerPort int `yaml:"containerPort"`
	}
	StartupProbe   *probe `yaml:"startupProbe"`
	ReadinessProbe *probe `yaml:"readinessProbe"`
	LivenessProbe  *probe `yaml:"livenessProbe"`
	Lifecycle      struct {
		PreStop struct{ Sleep struct{ Seconds int } } `yaml:"preStop"`
	}
	Resources    struct{ Requests, Limits map[string]string }
	VolumeMounts []struct {
		Name      string
		MountPath string `yaml:"mountPath"`
	} `yaml:"volumeMounts"`
}

type probe struct {
	HTTPGet             *struct{ Path, Port string } `yaml:"httpGet"`
	TCPSocket           *struct{ Port string }       `yaml:"tcpSocket"`
	InitialDelaySeconds int                          `yaml:"initialDelaySeconds"`
	PeriodSeconds       int                          `yaml:"periodSeconds"`
	TimeoutSeconds      int                          `yaml:"timeoutSeconds"`
}

type volume struct {
	Name      string
	ConfigMap *struct{ Name string } `yaml:"configMap"`
	Secret    *struct {
		SecretName string `yaml:"secretName"`
		Items      []struct{ Key, Path string }
	}
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
			AuthenticationRef struct{ Name string } `yaml:"authenticationRef"`
		}
	}
}

type triggerAuthentication struct {
	Spec struct {
		SecretTargetRef []struct{ Name, Key string } `yaml:"secretTargetRef"`
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
		Endpoints []struct{ Port string }
	}
}

type configMap struct {
	Data       map[string]string
	StringData map[string]string `yaml:"stringData"`
}
