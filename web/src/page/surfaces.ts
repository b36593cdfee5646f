/** Surfaces of structures out of the service's binary glTF; belongs to the chunk of three.js. */

import { BufferAttribute, BufferGeometry, Mesh, MeshLambertMaterial } from "three";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { clustered } from "../imaging/clustering";

const COARSE_MM = 4;

/** A surface in LPS mm, and a coarser form of it, made once it is needed. */
interface Surface {
  readonly mesh: Mesh<BufferGeometry, MeshLambertMaterial>;
  readonly fine: BufferGeometry;
  coarse: BufferGeometry | undefined;
}

/** By the names of structures. */
export type Surfaces = ReadonlyMap<string, Surface>;

/** Read the service's surfaces; positions stay in LPS mm, whatever frame the file turns them to. */
export async function surfacesOf(glb: ArrayBuffer, colours: ReadonlyMap<string, string>): Promise<Surfaces> {
  const { scene } = await new GLTFLoader().parseAsync(glb, "");
  const found = new Map<string, Surface>();
  scene.traverse((node) => {
    const { name } = node.userData as { name?: string };
    if (!(node instanceof Mesh) || name === undefined) return;
    const geometry = node.geometry as BufferGeometry;
    geometry.computeVertexNormals();
    const material = new MeshLambertMaterial({ color: colours.get(name) ?? "#ffffff" });
    const mesh = new Mesh(geometry, material);
    mesh.name = name;
    found.set(name, { mesh, fine: geometry, coarse: undefined });
  });
  return found;
}

/** The same with fewer triangles. */
export function coarser(fine: BufferGeometry): BufferGeometry {
  const { positions, index } = clustered(fine.getAttribute("position").array, fine.getIndex()!.array, COARSE_MM);
  const coarse = new BufferGeometry();
  coarse.setAttribute("position", new BufferAttribute(positions, 3));
  coarse.setIndex(new BufferAttribute(index, 1));
  coarse.computeVertexNormals();
  return coarse;
}
