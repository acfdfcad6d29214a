// Dots that travel along a lane's routes: one for each order while there are few.

const SVG = "http://www.w3.org/2000/svg";
const UNITS_A_SECOND = 260;
const SHOWN_MAX = 4; // of a route, each time: enough to see a stream
const CALM = matchMedia("(prefers-reduced-motion: reduce)");

function along(points, distance) {
  let left = distance;
  for (let n = 1; n < points.length; n += 1) {
    const [[x0, y0], [x1, y1]] = [points[n - 1], points[n]];
    const length = Math.hypot(x1 - x0, y1 - y0);
    if (left <= length) {
      const part = left / length;
      return [x0 + (x1 - x0) * part, y0 + (y1 - y0) * part];
    }
    left -= length;
  }
  return null;
}

export class Dots {
  constructor(layer, routes) {
    this.layer = layer;
    this.routes = routes;
    this.moving = [];
    this.frame = null;
  }

  // Send `count` dots along a route within the next `spreadMs`; `looks` has a class for each leg.
  send(route, count, looks, spreadMs = 250) {
    if (CALM.matches || document.hidden) return;
    const shown = Math.min(count, SHOWN_MAX);
    for (let n = 0; n < shown; n += 1) {
      const node = document.createElementNS(SVG, "circle");
      node.setAttribute("r", 4.5);
      const start = performance.now() + (n * spreadMs) / shown;
      this.moving.push({ node, legs: this.routes[route], looks, leg: 0, start });
    }
    if (this.moving.length && this.frame === null) this.schedule();
  }

  schedule() {
    this.frame = requestAnimationFrame((now) => {
      this.moving = this.moving.filter((dot) => this.move(dot, now));
      this.frame = null;
      if (this.moving.length) this.schedule();
    });
  }

  move(dot, now) {
    if (now < dot.start) return true;
    const at = along(dot.legs[dot.leg], ((now - dot.start) / 1000) * UNITS_A_SECOND);
    if (at === null) {
      dot.leg += 1;
      dot.start = now;
      if (dot.leg < dot.legs.length) return true;
      dot.node.remove();
      return false;
    }
    dot.node.setAttribute("class", `dot ${dot.looks[dot.leg]}`);
    dot.node.setAttribute("cx", at[0]);
    dot.node.setAttribute("cy", at[1]);
    if (!dot.node.isConnected) this.layer.append(dot.node);
    return true;
  }
}
