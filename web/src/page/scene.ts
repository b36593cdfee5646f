/** Surfaces and slices in three dimensions; a chunk of its own, since it brings three.js. */

import {
  AmbientLight,
  Box3,
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  DirectionalLight,
  DoubleSide,
  Group,
  LineBasicMaterial,
  LineLoop,
  LinearFilter,
  Mesh,
  MeshBasicMaterial,
  OrthographicCamera,
  Raycaster,
  Scene,
  Sphere,
  SRGBColorSpace,
  Vector2,
  Vector3,
  WebGLRenderer,
} from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { step, type Vec3 } from "../imaging/affine";
import { lettersOf, type Plane } from "../imaging/orientation";
import { paintSlice, toWorld, type Volume } from "../imaging/volume";
import { corners, DIRECTIONS, type From } from "../imaging/solid";
import { Raster } from "./raster";
import type { ViewState } from "./store";
import { coarser, type Surfaces } from "./surfaces";

/** Frames of a slower machine are drawn more coarsely while they move. */
const SLOW_MS = 60;
const FRAME_COLOURS = ["#f2d16b", "#7fd1ff", "#ff9ecb"] as const;

export interface Letters {
  readonly left: string;
  readonly right: string;
  readonly top: string;
  readonly bottom: string;
}

interface Slice {
  readonly raster: Raster;
  readonly texture: CanvasTexture;
  readonly picture: Mesh<BufferGeometry, MeshBasicMaterial>;
  readonly frame: LineLoop<BufferGeometry, LineBasicMaterial>;
}

export class Solid {
  readonly #scene = new Scene();
  readonly #camera = new OrthographicCamera();
  readonly #renderer: WebGLRenderer;
  readonly #controls: OrbitControls;
  readonly #slices: readonly Slice[];
  readonly #surfaces: Surfaces;
  readonly #centre: Vector3;
  /** Of a sphere around all surfaces. */
  readonly #radius: number;
  /** The corner of the volume that is farthest from its centre. */
  readonly #far: number;
  #moving = false;
  #lastMs = 0;
  #drawnAt = 0;
  #pending = false;
  /** Told after each frame how it is seen. */
  onTurn: (letters: Letters) => void = () => {};

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly volume: Volume,
    planes: readonly Plane[],
    surfaces: Surfaces,
  ) {
    this.#renderer = new WebGLRenderer({ canvas, antialias: true, alpha: false });
    this.#surfaces = surfaces;
    const shapes = new Group();
    shapes.add(...Array.from(surfaces.values(), ({ mesh }) => mesh));
    const extent = new Box3().setFromObject(shapes).getBoundingSphere(new Sphere());
    this.#centre = extent.center;
    this.#radius = extent.radius;
    this.#far = Math.max(...corners(volume).map((corner) => new Vector3(...corner).distanceTo(this.#centre)));
    this.#slices = planes.map((plane, i) => slice(volume, plane, FRAME_COLOURS[i % 3]!));
    const lamp = new DirectionalLight("#ffffff", 2.6);
    this.#camera.up.set(0, 0, 1);
    this.#camera.add(lamp);
    lamp.position.set(0.4, 0.6, 1);
    this.#scene.add(shapes, this.#camera, new AmbientLight("#ffffff", 0.7));
    for (const { picture, frame } of this.#slices) this.#scene.add(picture, frame);
    this.#controls = new OrbitControls(this.#camera, canvas);
    this.#controls.enableDamping = false;
    this.#controls.addEventListener("change", () => this.#later());
    this.#controls.addEventListener("start", () => this.#move(true));
    this.#controls.addEventListener("end", () => this.#move(false));
    this.look("A");
  }

  /** See it from one end of the patient, the whole of it. */
  look(from: From): void {
    const [x, y, z] = DIRECTIONS[from];
    this.#camera.position.copy(this.#centre).addScaledVector(new Vector3(x, y, z).normalize(), 2 * this.#far);
    this.#camera.zoom = 1;
    this.#controls.target.copy(this.#centre);
    this.#controls.update();
    this.#camera.updateProjectionMatrix();
    this.#later();
  }

  turn(across: number, down: number): void {
    const from = this.#camera.position.clone().sub(this.#controls.target);
    const right = new Vector3().setFromMatrixColumn(this.#camera.matrix, 0);
    from.applyAxisAngle(this.#camera.up, across).applyAxisAngle(right, down);
    if (from.clone().normalize().cross(this.#camera.up).length() < 0.02) return;
    this.#camera.position.copy(this.#controls.target).add(from);
    this.#controls.update();
    this.#later();
  }

  zoom(factor: number): void {
    this.#camera.zoom = Math.max(0.3, Math.min(20, this.#camera.zoom * factor));
    this.#camera.updateProjectionMatrix();
    this.#later();
  }

  /** Draw what the viewer shows: its layers, at their opacity, and where its slices are. */
  show(state: ViewState, opacity: number, pictures: boolean): void {
    for (const [name, { mesh }] of this.#surfaces) {
      const { material } = mesh;
      mesh.visible = !state.hidden.has(name);
      material.opacity = opacity;
      if (material.transparent !== opacity < 1) material.needsUpdate = true;
      material.transparent = opacity < 1;
      material.depthWrite = opacity === 1;
    }
    for (const { raster, texture, picture, frame } of this.#slices) {
      const at = state.at[raster.plane.axis];
      const { centre, width } = state.window;
      place(this.volume, raster.plane, at, picture.geometry, frame.geometry);
      picture.visible = pictures;
      if (!pictures) continue;
      const painted = raster.paint(`${at} ${centre} ${width}`, (pixels) =>
        paintSlice(this.volume, raster.plane, at, state.window, pixels),
      );
      if (painted) texture.needsUpdate = true;
    }
    this.#later();
  }

  /** A place just below the surface that is seen at a place of the canvas, in LPS mm. */
  pick(x: number, y: number): Vec3 | undefined {
    const { clientWidth, clientHeight } = this.canvas;
    const ray = new Raycaster();
    ray.setFromCamera(new Vector2((x / clientWidth) * 2 - 1, 1 - (y / clientHeight) * 2), this.#camera);
    const seen = Array.from(this.#surfaces.values(), ({ mesh }) => mesh).filter(({ visible }) => visible);
    const [hit] = ray.intersectObjects(seen, false);
    const depth = Math.min(...[0, 1, 2].map((axis) => Math.hypot(...step(this.volume.affine, axis)))) / 2;
    return hit && (hit.point.addScaledVector(ray.ray.direction, depth).toArray() as Vec3);
  }

  resize(): void {
    const { clientWidth, clientHeight } = this.canvas;
    if (!clientWidth || !clientHeight) return;
    this.#renderer.setPixelRatio(this.#isCoarse ? 0.5 : Math.min(2, window.devicePixelRatio || 1));
    this.#renderer.setSize(clientWidth, clientHeight, false);
    const half = this.#radius * 1.02;
    const [width, height] = clientWidth > clientHeight ? [clientWidth / clientHeight, 1] : [1, clientHeight / clientWidth];
    Object.assign(this.#camera, { left: -half * width, right: half * width, top: half * height, bottom: -half * height });
    Object.assign(this.#camera, { near: 0.1, far: 4 * this.#far });
    this.#camera.updateProjectionMatrix();
    this.#later();
  }

  dispose(): void {
    this.#controls.dispose();
    for (const { mesh, fine, coarse } of this.#surfaces.values()) {
      for (const each of [fine, coarse, mesh.material]) each?.dispose();
    }
    for (const { texture } of this.#slices) texture.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
  }

  #move(moving: boolean): void {
    const coarse = this.#isCoarse;
    this.#moving = moving;
    this.#drawnAt = 0;
    if (coarse !== this.#isCoarse) this.#refine();
  }

  /** Draw coarsely or finely, as it is now. */
  #refine(): void {
    for (const surface of this.#surfaces.values()) {
      if (this.#isCoarse) surface.coarse ??= coarser(surface.fine);
      surface.mesh.geometry = (this.#isCoarse && surface.coarse) || surface.fine;
    }
    this.resize();
  }

  get #isCoarse(): boolean {
    return this.#moving && this.#lastMs > SLOW_MS;
  }

  #later(): void {
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame((now) => {
      this.#pending = false;
      const coarse = this.#isCoarse;
      // While it moves there is a frame as soon as the one before is done.
      if (this.#moving && this.#drawnAt && !coarse) this.#lastMs = now - this.#drawnAt;
      this.#drawnAt = now;
      if (this.#isCoarse !== coarse) this.#refine();
      this.#renderer.render(this.#scene, this.#camera);
      this.onTurn(this.#letters());
    });
  }

  #letters(): Letters {
    const along = (column: number, sign: number) =>
      lettersOf(new Vector3().setFromMatrixColumn(this.#camera.matrixWorld, column).multiplyScalar(sign).toArray() as Vec3);
    return { left: along(0, -1), right: along(0, 1), top: along(1, 1), bottom: along(1, -1) };
  }
}

function slice(volume: Volume, plane: Plane, colour: string): Slice {
  const raster = new Raster(volume, plane);
  const texture = new CanvasTexture(raster.canvas);
  texture.colorSpace = SRGBColorSpace;
  texture.minFilter = LinearFilter;
  texture.generateMipmaps = false;
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(12), 3));
  geometry.setAttribute("uv", new BufferAttribute(new Float32Array([0, 1, 1, 1, 1, 0, 0, 0]), 2));
  geometry.setIndex([0, 1, 2, 0, 2, 3]);
  const outline = new BufferGeometry();
  outline.setAttribute("position", new BufferAttribute(new Float32Array(12), 3));
  return {
    raster,
    texture,
    picture: new Mesh(geometry, new MeshBasicMaterial({ map: texture, side: DoubleSide })),
    frame: new LineLoop(outline, new LineBasicMaterial({ color: colour })),
  };
}

/** Put a slice's corners, the outer edges of its samples, where they are in the patient. */
function place(volume: Volume, plane: Plane, at: number, ...geometries: readonly BufferGeometry[]): void {
  const { axis, across, down } = plane;
  const [n, m] = [volume.shape[across], volume.shape[down]];
  const ends: [number, number][] = [[-0.5, -0.5], [n - 0.5, -0.5], [n - 0.5, m - 0.5], [-0.5, m - 0.5]];
  for (const geometry of geometries) {
    const position = geometry.getAttribute("position") as BufferAttribute;
    ends.forEach(([x, y], i) => {
      const index: [number, number, number] = [0, 0, 0];
      index[axis] = at;
      index[across] = x;
      index[down] = y;
      position.setXYZ(i, ...toWorld(volume, index));
    });
    position.needsUpdate = true;
    geometry.computeBoundingSphere();
  }
}
