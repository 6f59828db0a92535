// The interface between an experiment's software and emulators of networks, as cms-hls4ml/hls4mlEmulatorExtras has it;
// use the experiment's own header instead where there is one. Written by firmware-flows, Apache-2.0.
#ifndef HLS4ML_EMULATOR_H_
#define HLS4ML_EMULATOR_H_

#include <any>
#include <dlfcn.h>
#include <memory>
#include <stdexcept>
#include <string>

namespace hls4mlEmulator {

// One network: inputs are given, then computed with, then results are read.
class Model {
  public:
    virtual void prepare_input(std::any input) = 0;
    virtual void predict() = 0;
    virtual void read_result(std::any result) = 0;
    virtual ~Model() = default;
};

typedef Model* create_model_cls();
typedef void destroy_model_cls(Model*);

// Loads NAME.so, which must stay loaded as long as its models live: they hold on to it.
class ModelLoader {
  public:
    explicit ModelLoader(std::string name = "") { reset(std::move(name)); }
    ModelLoader(const ModelLoader&) = delete;
    ModelLoader& operator=(const ModelLoader&) = delete;
    ModelLoader(ModelLoader&&) = delete;
    ModelLoader& operator=(ModelLoader&&) = delete;

    const std::string& model_name() const { return name_; }

    void reset(std::string name = "") {
        library_.reset();
        name_ = std::move(name);
    }

    std::shared_ptr<Model> load_model() {
        if (name_.empty()) throw std::runtime_error("hls4mlEmulator::ModelLoader has no name of a model to load");
        if (!library_) {
            const std::string file = name_ + ".so";
            void* handle = dlopen(file.c_str(), RTLD_LAZY | RTLD_LOCAL);
            if (handle == nullptr) throw std::runtime_error("cannot load " + file + ": " + dlerror());
            library_ = std::shared_ptr<void>(handle, [](void* open) { dlclose(open); });
        }
        auto* create = reinterpret_cast<create_model_cls*>(dlsym(library_.get(), "create_model"));
        auto* destroy = reinterpret_cast<destroy_model_cls*>(dlsym(library_.get(), "destroy_model"));
        if (create == nullptr || destroy == nullptr) throw std::runtime_error(name_ + ".so is no emulator of a model");
        return std::shared_ptr<Model>(create(), [library = library_, destroy](Model* model) { destroy(model); });
    }

  private:
    std::string name_;
    std::shared_ptr<void> library_;
};

}  // namespace hls4mlEmulator

#endif
