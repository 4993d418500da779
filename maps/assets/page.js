/* Draws one self-contained map page: zones in classes, own roads and water, legend, totals and a time slider.
   All text comes from the data and is set as text, never as markup. */
"use strict";
var Wangge = (function () {
  var STEP = 1e-5;

  function node(name, cls, text) {
    var e = document.createElement(name);
    if (cls) e.className = cls;
    if (text !== undefined) e.textContent = text;
    return e;
  }

  function ring(packed) {
    var x = 0, y = 0, out = [];
    for (var i = 0; i < packed.length; i += 2) {
      x += packed[i];
      y += packed[i + 1];
      out.push([y * STEP, x * STEP]);
    }
    return out;
  }

  function shape(parts) {
    return parts.map(function (part) { return part.map(ring); });
  }

  function lines(parts) {
    return parts.map(function (part) { return ring(part[0]); });
  }

  function number(v, data) {
    if (v === null || v === undefined) return "–";
    if (data.share) return (v * 100).toFixed(1) + " %";
    return v.toLocaleString(data.lang === "zh" ? "zh-CN" : "en-GB", { maximumFractionDigits: data.decimals });
  }

  function classOf(v, limits) {
    var c = 0;
    for (var i = 1; i < limits.length; i++) if (v >= limits[i]) c = i;
    return c;
  }

  function between(limits, i, data) {
    var low = limits[i], high = limits[i + 1];
    if (high === undefined) return data.words.from.replace("{low}", number(low, data));
    if (data.whole) return low === high - 1 ? number(low, data) : number(low, data) + " – " + number(high - 1, data);
    return number(low, data) + " – < " + number(high, data);
  }

  function control(map, position, element) {
    var c = L.control({ position: position });
    c.onAdd = function () {
      L.DomEvent.disableClickPropagation(element);
      L.DomEvent.disableScrollPropagation(element);
      return element;
    };
    return c.addTo(map);
  }

  function facts(rows) {
    var table = node("table", "wg-facts");
    rows.forEach(function (r) {
      var tr = node("tr");
      tr.appendChild(node("th", "", r[0]));
      tr.appendChild(node("td", "", r[1]));
      table.appendChild(tr);
    });
    return table;
  }

  function bars(values, at) {
    var ns = "http://www.w3.org/2000/svg", svg = document.createElementNS(ns, "svg");
    var top = Math.max.apply(null, values.map(function (v) { return v || 0; })) || 1;
    svg.setAttribute("viewBox", "0 0 " + values.length + " 24");
    svg.setAttribute("preserveAspectRatio", "none");
    svg.setAttribute("class", "wg-bars");
    values.forEach(function (v, i) {
      var bar = document.createElementNS(ns, "rect"), h = 24 * (v || 0) / top;
      bar.setAttribute("x", i + 0.1);
      bar.setAttribute("y", 24 - h);
      bar.setAttribute("width", 0.8);
      bar.setAttribute("height", h);
      bar.setAttribute("fill", i === at ? "#8d2b0b" : "#9fb3c8");
      svg.appendChild(bar);
    });
    return svg;
  }

  function backdrop(map, data) {
    map.createPane("wg-under").style.zIndex = 350;
    map.createPane("wg-over").style.zIndex = 450;
    map.getPane("wg-over").style.pointerEvents = "none";
    var under = L.canvas({ pane: "wg-under" }), over = L.canvas({ pane: "wg-over" });
    function add(parts, style) {
      if (parts && parts.length) L.polyline(lines(parts), Object.assign({ renderer: over, pane: "wg-over", interactive: false }, style)).addTo(map);
    }
    if (data.ground.limit) L.polygon(shape(data.ground.limit), { renderer: under, pane: "wg-under", interactive: false, fillColor: "#fff", fillOpacity: 1, weight: 0 }).addTo(map);
    if (data.ground.water) L.polygon(shape(data.ground.water), { renderer: over, pane: "wg-over", interactive: false, fillColor: "#8fbfe0", fillOpacity: .85, weight: .5, color: "#6ba3cc" }).addTo(map);
    add(data.ground.minor, { color: "#6b7785", weight: .7, opacity: .45 });
    add(data.ground.roads, { color: "#52606d", weight: 1.6, opacity: .6 });
    add(data.ground.rail, { color: "#333", weight: 1.2, opacity: .8, dashArray: "2 4" });
    add(data.ground.borders, { color: "#1f2933", weight: 2, opacity: .75 });
  }

  function draw(map, data) {
    var state = { frame: 0 }, words = data.words, polygons = [];
    map.attributionControl.setPrefix(false).addAttribution(data.credit);
    L.control.scale({ imperial: false }).addTo(map);
    backdrop(map, data);
    map.fitBounds(data.bounds, { paddingTopLeft: [14, 14], paddingBottomRight: [14, data.frames.length > 1 ? 70 : 14] });

    var head = node("div", "wg-panel wg-head"), title = node("h1", "", data.title), totals = node("p");
    if (data.synthetic) title.appendChild(node("span", "wg-badge", words.synthetic));
    head.appendChild(title);
    head.appendChild(totals);
    control(map, "topleft", head);
    map.zoomControl.setPosition("topright");
    var legend = node("div", "wg-panel wg-legend");
    control(map, "bottomright", legend);

    function frame() { return data.frames[state.frame]; }
    function limits() { return state.frame === 0 ? data.limits.whole : data.limits.part; }
    function colours() { return state.frame === 0 ? data.colours.whole : data.colours.part; }

    function fill(i) {
      if (data.zones.colour) return data.zones.colour[i];
      var v = frame().values[i];
      return v === null ? data.colours.none : colours()[classOf(v, limits())];
    }

    function weight(i) {
      return data.few && frame().values[i] !== null && frame().n[i] < data.few ? .28 : .9;
    }

    function about(i) {
      var rows = [];
      if (data.zones.names[i] !== data.zones.codes[i]) rows.push([words.code, data.zones.codes[i]]);
      rows.push([words.measure, number(frame().values[i], data) + (data.unit && !data.share ? " " + data.unit : "")]);
      if (data.showN) rows.push(["n", frame().n[i].toLocaleString()]);
      (data.zones.facts || []).forEach(function (f) { rows.push([f.label, f.values[i] === null ? "–" : String(f.values[i])]); });
      return rows;
    }

    function tip(i) {
      var box = node("div");
      box.appendChild(node("b", "", data.zones.names[i]));
      box.appendChild(facts(about(i)));
      return box;
    }

    function popup(i) {
      var box = node("div", "wg-popup");
      box.appendChild(node("h2", "", data.zones.names[i]));
      box.appendChild(node("div", "", frame().label));
      box.appendChild(facts(about(i)));
      if (data.frames.length > 2) box.appendChild(bars(data.frames.slice(1).map(function (f) { return f.values[i]; }), state.frame - 1));
      return box;
    }

    var renderer = L.canvas({ padding: .3 });
    data.zones.shapes.forEach(function (packed, i) {
      var p = L.polygon(shape(packed), { renderer: renderer, weight: .8, color: "#5b6470", opacity: .55, fillOpacity: weight(i), fillColor: fill(i) });
      p.bindTooltip(function () { return tip(i); }, { sticky: true, direction: "auto", opacity: 1 });
      p.bindPopup(function () { return popup(i); }, { maxWidth: 320 });
      p.on("mouseover", function () { p.setStyle({ weight: 2.6, color: "#111", opacity: 1 }); p.bringToFront(); });
      p.on("popupopen", function () { p.closeTooltip(); });
      p.on("mouseout", function () { p.setStyle({ weight: .8, color: "#5b6470", opacity: .55 }); });
      p.addTo(map);
      polygons.push(p);
    });
    (data.labels || []).forEach(function (l) {
      L.tooltip({ permanent: true, direction: "center", className: "wg-label", interactive: false, pane: "wg-over" }).setLatLng([l[1], l[0]]).setContent(node("span", "", l[2])).addTo(map);
    });

    function showLegend() {
      legend.replaceChildren(node("b", "", data.legend));
      if (data.zones.colour) return legend.appendChild(node("div", "", words.coloured));
      var shown = frame().values, count = limits().map(function () { return 0; }), none = 0;
      shown.forEach(function (v) { if (v === null) none++; else count[classOf(v, limits())]++; });
      for (var i = limits().length - 1; i >= 0; i--) row(colours()[i], between(limits(), i, data), count[i]);
      if (none) row(data.colours.none, words.none, none);
      var pale = polygons.filter(function (p, i) { return weight(i) < .9; }).length;
      if (pale) legend.appendChild(node("small", "", words.few.replace("{n}", data.few) + " · " + pale));
      function row(colour, text, n) {
        var line = node("div"), box = node("i");
        box.style.background = colour;
        line.appendChild(box);
        line.appendChild(node("span", "", text));
        line.appendChild(node("small", "", String(n)));
        legend.appendChild(line);
      }
    }

    var ranking = node("details", "wg-panel wg-rank"), list = node("ol");
    ranking.appendChild(node("summary", "", words.ranking));
    ranking.appendChild(list);
    if (polygons.length > 1 && !data.zones.colour) control(map, "topright", ranking);

    function showRanking() {
      var values = frame().values, order = values.map(function (_, i) { return i; });
      order = order.filter(function (i) { return values[i] !== null && weight(i) === .9; });
      order.sort(function (a, b) { return values[b] - values[a] || (data.zones.codes[a] < data.zones.codes[b] ? -1 : 1); });
      list.replaceChildren();
      order.slice(0, data.ranked).forEach(function (i) {
        var item = node("li"), go = node("button", "", data.zones.names[i]);
        go.type = "button";
        go.addEventListener("click", function () {
          if (window.innerWidth <= 640) ranking.open = false;
          map.fitBounds(polygons[i].getBounds(), { maxZoom: 14, animate: false });
          polygons[i].openPopup(polygons[i].getBounds().getCenter());
        });
        item.appendChild(go);
        item.appendChild(node("span", "", number(values[i], data)));
        list.appendChild(item);
      });
    }

    function show(at) {
      state.frame = at;
      polygons.forEach(function (p, i) { p.setStyle({ fillColor: fill(i), fillOpacity: weight(i) }); });
      totals.textContent = frame().totals;
      showLegend();
      showRanking();
      map.closePopup();
      document.body.dataset.frame = String(at);
      document.body.dataset.fills = polygons.map(function (p) { return p.options.fillColor; }).join(" ");
    }

    if (data.frames.length > 1) slider(map, data, show);
    show(0);
    document.body.dataset.ready = "true";
  }

  function slider(map, data, show) {
    var box = node("div", "wg-panel wg-time"), words = data.words, last = data.frames.length - 1, timer = null;
    var whole = node("button", "", words.whole), play = node("button", "", words.play), range = node("input"), label = node("output");
    range.type = "range";
    range.min = 1;
    range.max = last;
    range.value = last;
    range.setAttribute("aria-label", words.time);
    whole.type = play.type = "button";
    [whole, play, range, label].forEach(function (e) { box.appendChild(e); });
    control(map, "bottomleft", box);
    document.body.classList.add("wg-timed");

    function stop() {
      clearInterval(timer);
      timer = null;
      play.textContent = words.play;
      play.setAttribute("aria-pressed", "false");
    }
    function at(i) {
      label.textContent = data.frames[i].label;
      range.setAttribute("aria-valuetext", data.frames[i].label);
      whole.setAttribute("aria-pressed", String(i === 0));
      show(i);
    }
    range.addEventListener("input", function () { stop(); at(+range.value); });
    whole.addEventListener("click", function () { stop(); at(0); });
    play.addEventListener("click", function () {
      if (timer) return stop();
      if (+range.value === last) range.value = 0;
      play.textContent = words.pause;
      play.setAttribute("aria-pressed", "true");
      timer = setInterval(function () {
        if (+range.value >= last) return stop();
        range.value = +range.value + 1;
        at(+range.value);
      }, data.pace);
      at(+range.value);
    });
    whole.setAttribute("aria-pressed", "true");
    label.textContent = data.frames[0].label;
  }

  return { draw: draw };
})();
