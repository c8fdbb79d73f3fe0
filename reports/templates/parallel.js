(function () {
  const SVG = "http://www.w3.org/2000/svg";
  const REACH = 20, CLICK = 4;

  const numbers = (path) => path.getAttribute("d").match(/-?[\d.]+(?:e-?\d+)?/g).map(Number);
  const labelled = (tag, text, parent) => {
    const made = document.createElement(tag);
    if (text) { made.textContent = text; }
    parent.append(made);
    return made;
  };

  for (const panel of document.querySelectorAll(".brush")) {
    const told = JSON.parse(panel.querySelector("script").textContent);
    const figure = panel.closest("figure"), svg = figure.querySelector("svg.picture");
    const prefix = panel.id.replace("brush-", "picture-") + "-line-";
    const rows = new Map(Array.from(figure.querySelectorAll("tbody tr"), (row) => [row.cells[0].textContent, row]));
    const lines = Array.from(svg.querySelectorAll('[id^="' + prefix + '"]'), (group) => ({
      group,
      row: rows.get(group.id.slice(prefix.length)),
      // The picture's points are x, y, x, y …: a line's place on each axis.
      places: numbers(group.querySelector("path")).filter((_, place) => place % 2 === 1),
    }));
    const status = document.createElement("p");
    status.setAttribute("role", "status");

    const axes = told.axes.map((axis, place) => {
      const ys = axis.scale ? [axis.scale[0], axis.scale[2]] : axis.ticks.map((tick) => tick[1]);
      const between = axis.ticks.length > 1 ? Math.abs(axis.ticks[1][1] - axis.ticks[0][1]) / 2 : REACH;
      return { ...axis, place, range: null, reach: Math.min(between, REACH), low: Math.max(...ys), high: Math.min(...ys) };
    });

    const keeps = (line) => axes.every((axis) => {
      const y = line.places[axis.place];
      return !axis.range || (y >= axis.range[0] && y <= axis.range[1]);
    });
    const show = () => {
      let count = 0;
      const kept = [];
      for (const line of lines) {
        const isKept = keeps(line);
        line.group.classList.toggle("off", !isKept);
        if (line.row) { line.row.classList.toggle("off", !isKept); }
        if (isKept) { count += 1; if (line.row) { kept.push(Number(line.row.cells[line.row.cells.length - 1].dataset.value)); } }
      }
      for (const axis of axes) {
        const [top, bottom] = axis.range || [0, 0];
        axis.band.setAttribute("visibility", axis.range ? "visible" : "hidden");
        axis.band.setAttribute("y", top);
        axis.band.setAttribute("height", Math.max(0, bottom - top));
        axis.tell();
      }
      const percent = (value) => (100 * value).toFixed(2) + " %";
      const span = kept.length ? "; accuracy " + percent(Math.min(...kept)) + " to " + percent(Math.max(...kept)) : "";
      const isAll = axes.every((axis) => !axis.range);
      status.textContent = isAll ? "Drag along an axis, or choose here, to filter." :
        count + " of " + lines.length + " " + told.noun + " shown" + span;
      clear.disabled = isAll;
    };

    // Ticks between two places, snapped: a range of a setting with few values is a range of ticks.
    const ticksIn = (axis, top, bottom) => axis.ticks.filter((tick) => tick[1] >= top && tick[1] <= bottom);
    const setTicks = (axis, ticks) => {
      const ys = ticks.map((tick) => tick[1]);
      const isAll = !ys.length || ys.length === axis.ticks.length;
      axis.range = isAll ? null : [Math.min(...ys) - axis.reach, Math.max(...ys) + axis.reach];
    };
    const valueAt = (axis, y) => {
      const [y0, v0, y1, v1] = axis.scale;
      return v0 + (y - y0) / (y1 - y0) * (v1 - v0);
    };
    const placeOf = (axis, value) => {
      const [y0, v0, y1, v1] = axis.scale;
      return y0 + (value - v0) / (v1 - v0) * (y1 - y0);
    };

    const byTicks = (axis, field) => {
      const choices = ["from", "to"].map((word) => {
        const select = document.createElement("select");
        select.setAttribute("aria-label", axis.name + " " + word);
        axis.ticks.forEach(([label], place) => { const option = labelled("option", label, select); option.value = place; });
        return select;
      });
      field.append(choices[0], "–", choices[1]);
      choices.forEach((select, which) => select.addEventListener("change", () => {
        let ends = choices.map((one) => Number(one.value));
        if (ends[0] > ends[1]) { ends = which === 0 ? [ends[0], ends[0]] : [ends[1], ends[1]]; }
        setTicks(axis, axis.ticks.slice(ends[0], ends[1] + 1));
        show();
      }));
      axis.tell = () => {
        const chosen = axis.range ? ticksIn(axis, ...axis.range) : axis.ticks;
        choices[0].value = axis.ticks.indexOf(chosen[0]);
        choices[1].value = axis.ticks.indexOf(chosen[chosen.length - 1]);
      };
    };
    const byValue = (axis, field) => {
      const inputs = ["at least", "at most"].map((word) => {
        const input = document.createElement("input");
        input.type = "number";
        input.step = "any";
        input.setAttribute("aria-label", axis.name + " " + word + ", per cent");
        return input;
      });
      field.append(inputs[0], "–", inputs[1], "%");
      const read = () => {
        const [least, most] = inputs.map((input) => input.value === "" ? null : Number(input.value));
        const bottom = least === null ? axis.low + 1 : placeOf(axis, least), top = most === null ? axis.high - 1 : placeOf(axis, most);
        axis.range = least === null && most === null ? null : [Math.max(top, axis.high - 1), Math.min(bottom, axis.low + 1)];
        show();
      };
      inputs.forEach((input) => input.addEventListener("change", read));
      axis.tell = () => {
        if (inputs.includes(document.activeElement)) { return; }
        inputs[0].value = axis.range && axis.range[1] <= axis.low ? valueAt(axis, axis.range[1]).toFixed(2) : "";
        inputs[1].value = axis.range && axis.range[0] >= axis.high ? valueAt(axis, axis.range[0]).toFixed(2) : "";
      };
    };

    const place = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return point.y;
    };
    for (const axis of axes) {
      axis.band = document.createElementNS(SVG, "rect");
      const grip = document.createElementNS(SVG, "rect");
      for (const [rect, half, name] of [[axis.band, 7, "band"], [grip, 16, "grip"]]) {
        rect.setAttribute("class", name);
        rect.setAttribute("x", axis.x - half);
        rect.setAttribute("width", 2 * half);
        svg.append(rect);
      }
      grip.setAttribute("y", axis.high - REACH);
      grip.setAttribute("height", axis.low - axis.high + 2 * REACH);
      grip.dataset.axis = axis.name;
      let start = null;
      grip.addEventListener("pointerdown", (event) => { start = place(event); grip.setPointerCapture(event.pointerId); event.preventDefault(); });
      const drag = (event) => {
        if (start === null) { return; }
        const now = place(event);
        axis.range = Math.abs(now - start) < CLICK ? null : [Math.min(start, now), Math.max(start, now)];
        show();
      };
      grip.addEventListener("pointermove", drag);
      grip.addEventListener("pointerup", (event) => {
        drag(event);
        start = null;
        if (axis.range && !axis.scale) { setTicks(axis, ticksIn(axis, ...axis.range)); }
        show();
      });
      grip.addEventListener("pointercancel", () => { start = null; });
      const field = document.createElement("fieldset");
      labelled("legend", axis.name, field);
      panel.append(field);
      (axis.scale ? byValue : byTicks)(axis, field);
    }
    const clear = labelled("button", "Show all", panel);
    clear.type = "button";
    clear.addEventListener("click", () => { axes.forEach((axis) => { axis.range = null; }); show(); });
    panel.append(status);
    panel.hidden = false;
    show();
  }
})();
