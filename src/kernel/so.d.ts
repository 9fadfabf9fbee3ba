// The compiled helper is embedded as a file: importing it gives the path of its bytes.
declare module "*.so" {
  const path: string;
  export default path;
}
