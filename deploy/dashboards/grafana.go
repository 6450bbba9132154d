package main

import "strings"

// board is one dashboard: rows of panels.
type board struct {
	name, title, about string
	rows               []row
}

type row struct {
	title  string
	panels []panel
}

// panel is a graph over time, or one number.
type panel struct {
	title, about string
	unit         string // Grafana's: s, short, percentunit, bytes, reqps
	kind         kind
	series       []series
	limit        float64 // from where on it is red; 0: nowhere
	empty        string  // said where there is nothing, if that is as it should be
}

type kind string

const (
	graph kind = "timeseries"
	stat  kind = "stat"
)

// series is one expression and what its lines are called.
type series struct{ expr, legend string }

// width is the grid's; a row has four panels at most.
const (
	width  = 24
	height = 8
)

type object = map[string]any

var source = object{"type": "prometheus", "uid": "${datasource}"}

func (b board) render() object {
	var panels []object
	y := 0
	for _, r := range b.rows {
		panels = append(panels, object{
			"id": len(panels) + 1, "type": "row", "title": r.title, "collapsed": false, "panels": []object{},
			"gridPos": object{"h": 1, "w": width, "x": 0, "y": y},
		})
		y++
		w := width / len(r.panels)
		for i, p := range r.panels {
			panels = append(panels, p.render(len(panels)+1, object{"h": height, "w": w, "x": i * w, "y": y}))
		}
		y += height
	}
	return object{
		"uid": b.name, "title": b.title, "description": b.about, "tags": []string{"ringstream"},
		"schemaVersion": 39, "version": 1, "editable": true, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
		"time":        object{"from": "now-3h", "to": "now"},
		"annotations": object{"list": []object{alerts()}},
		"links":       []object{{"type": "dashboards", "tags": []string{"ringstream"}, "title": "ringstream", "asDropdown": true, "includeVars": true, "keepTime": true, "icon": "", "tooltip": "", "url": "", "targetBlank": false}},
		"templating":  object{"list": variables()},
		"panels":      panels,
	}
}

// alerts marks on every graph when an alert fired.
func alerts() object {
	return object{
		"name": "alerts", "datasource": source, "enable": true, "iconColor": "red",
		"expr": `ALERTS{alertstate="firing",alertname=~"Ringstream.+",namespace=~"$namespace"}`, "titleFormat": "{{alertname}}", "step": "30s",
	}
}

// variables are the data source and the namespace; ".*" also matches where there is none.
func variables() []object {
	return []object{
		{"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "hide": 0},
		{
			"name": "namespace", "label": "Namespace", "type": "query", "datasource": source, "refresh": 2,
			"query":      object{"query": "label_values(ringstream_build_info, namespace)", "refId": "namespace"},
			"includeAll": true, "allValue": ".*", "multi": false, "hide": 0, "current": object{"text": "All", "value": "$__all"},
		},
	}
}

func (p panel) render(id int, at object) object {
	steps := []object{{"color": "green", "value": nil}}
	if p.limit != 0 {
		steps = append(steps, object{"color": "red", "value": p.limit})
	}
	fields := object{"unit": p.unit, "thresholds": object{"mode": "absolute", "steps": steps}}
	if p.empty != "" {
		fields["noValue"] = p.empty
	}
	var options object
	switch p.kind {
	case stat:
		options = object{
			"reduceOptions": object{"calcs": []string{"lastNotNull"}}, "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "textMode": "auto",
			"wideLayout": true, "orientation": "auto", "showPercentChange": false, "percentChangeColorMode": "standard",
		}
	default:
		custom := object{"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": false}
		if p.limit != 0 {
			custom["thresholdsStyle"] = object{"mode": "dashed"}
		}
		fields["custom"], fields["min"] = custom, 0
		options = object{"legend": object{"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []string{}}, "tooltip": object{"mode": "multi", "sort": "desc"}}
	}
	var targets []object
	for i, s := range p.series {
		targets = append(targets, object{
			"refId": string(rune('A' + i)), "datasource": source, "expr": s.expr, "legendFormat": s.legend, "range": true,
			"exemplar": strings.Contains(s.expr, "_bucket"),
		})
	}
	return object{
		"id": id, "type": or(p.kind, graph), "title": p.title, "description": p.about, "datasource": source, "gridPos": at,
		"fieldConfig": object{"defaults": fields, "overrides": []object{}}, "options": options, "targets": targets,
	}
}

func or(k, otherwise kind) kind {
	if k == "" {
		return otherwise
	}
	return k
}
