#!/usr/bin/python3
"""manifest.py -- what tests/64-deploy.t asks of a Kubernetes manifest.

    manifest.py check FILE              prints what is wrong, a line each
    manifest.py data FILE KIND KEY      the text of a ConfigMap's or Secret's key

There is no API server to ask: the fields are those that the restricted Pod Security
Standard and the project's own page want, and names that must fit each other.
"""
import sys

import yaml


def documents(path):
    with open(path, encoding="utf-8") as file:
        return [d for d in yaml.safe_load_all(file) if d is not None]


def of_kind(docs, kind):
    found = [d for d in docs if d["kind"] == kind]
    if len(found) != 1:
        sys.exit(f"{len(found)} documents of kind {kind}")
    return found[0]


KINDS = {"Secret": "v1", "ConfigMap": "v1", "Service": "v1",
         "PodDisruptionBudget": "policy/v1", "StatefulSet": "apps/v1"}


def check_pod(pod, claims, docs):
    """Yields what is wrong with a pod's specification."""
    name = of_kind(docs, "ConfigMap")["metadata"]["name"]
    secret = of_kind(docs, "Secret")["metadata"]["name"]
    context = pod["securityContext"]
    container = pod["containers"][0]
    own = container["securityContext"]
    wants = [
        (len(pod["containers"]), 1, "containers"),
        (context["runAsNonRoot"], True, "runAsNonRoot"),
        (context["runAsUser"] > 0, True, "runAsUser"),
        (context["seccompProfile"]["type"], "RuntimeDefault", "seccompProfile"),
        (own["allowPrivilegeEscalation"], False, "allowPrivilegeEscalation"),
        (own["readOnlyRootFilesystem"], True, "readOnlyRootFilesystem"),
        (own["capabilities"], {"drop": ["ALL"]}, "capabilities"),
        (pod["automountServiceAccountToken"], False, "automountServiceAccountToken"),
        (pod["terminationGracePeriodSeconds"] > 35, True, "terminationGracePeriodSeconds"),
        (container["readinessProbe"]["httpGet"], {"path": "/status", "port": "metrics"},
         "readinessProbe"),
        ("livenessProbe" in container, False, "livenessProbe"),
        ("memory" in container["resources"]["limits"], True, "memory limit"),
        (set(container["resources"]["requests"]), {"cpu", "memory"}, "requests"),
        (container["args"][0:2], ["run", "-c"], "args"),
    ]
    for got, wanted, what in wants:
        if got != wanted:
            yield f"{what}: {got}"
    volumes = {v["name"]: v for v in pod["volumes"]}
    mounts = {m["name"]: m["mountPath"] for m in container["volumeMounts"]}
    if set(mounts) != set(volumes) | set(claims):
        yield f"volumes {set(volumes) | set(claims)}, mounted {set(mounts)}"
    if volumes["config"]["configMap"]["name"] != name:
        yield "another ConfigMap"
    if volumes["secret"]["secret"]["secretName"] != secret:
        yield "another Secret"
    if volumes["secret"]["secret"]["defaultMode"] & 0o007:
        yield "a Secret that all can read"
    if container["args"][2] not in [mounts["config"] + "/" + k
                                    for k in of_kind(docs, "ConfigMap")["data"]]:
        yield "a configuration that is in no ConfigMap"
    yield from check_paths(docs, mounts, container["ports"][0]["containerPort"])


def check_paths(docs, mounts, port):
    """Yields what is wrong with the paths and the port in the configuration."""
    data = of_kind(docs, "ConfigMap")["data"]
    lines = dict(line.split("=", 1) for line in data["pgcdc.conf"].splitlines())
    readable = [mounts["config"] + "/" + k for k in data]
    readable += [mounts["secret"] + "/" + k for k in of_kind(docs, "Secret")["stringData"]]
    for key, place in [("PGCDC_RUNDIR", "run"), ("PGCDC_STATE", "state"),
                       ("PGCDC_DEAD_LETTER", "state")]:
        if not lines[key].startswith(mounts[place] + "/"):
            yield f"{key}={lines[key]}"
    for path in [lines["PGCDC_MAPPING"], lines["PGSERVICEFILE"],
                 lines["PGCDC_WRITE_OPTIONS"].split()[-1]]:
        if path not in readable:
            yield f"{path} is in no volume"
    if lines["PGCDC_METRICS_READ"] != f"0.0.0.0:{port}":
        yield f"the probe asks {port}: {lines['PGCDC_METRICS_READ']}"
    if of_kind(docs, "Service")["spec"]["ports"][0]["port"] != port:
        yield "the Service has another port"


def check(path):
    docs = documents(path)
    for doc in docs:
        if KINDS.get(doc["kind"]) != doc["apiVersion"]:
            yield f"{doc['kind']}: {doc['apiVersion']}"
        if not doc["metadata"]["name"]:
            yield f"{doc['kind']}: no name"
    for kind in KINDS:
        of_kind(docs, kind)
    states = of_kind(docs, "StatefulSet")
    spec = states["spec"]
    if spec["replicas"] != 2:
        yield f"replicas: {spec['replicas']}"
    if spec["serviceName"] != of_kind(docs, "Service")["metadata"]["name"]:
        yield "another Service"
    labels = spec["template"]["metadata"]["labels"]
    budget = of_kind(docs, "PodDisruptionBudget")["spec"]
    for selector in [spec["selector"]["matchLabels"], budget["selector"]["matchLabels"],
                     of_kind(docs, "Service")["spec"]["selector"]]:
        if not selector or not selector.items() <= labels.items():
            yield f"no pod is selected by {selector}"
    if budget["minAvailable"] != 1:
        yield f"minAvailable: {budget['minAvailable']}"
    claims = [c["metadata"]["name"] for c in spec["volumeClaimTemplates"]]
    yield from check_pod(spec["template"]["spec"], claims, docs)


def main():
    if sys.argv[1] == "check":
        for line in check(sys.argv[2]):
            print(line)
    else:
        doc = of_kind(documents(sys.argv[2]), sys.argv[3])
        sys.stdout.write((doc.get("data") or doc.get("stringData"))[sys.argv[4]])


main()
